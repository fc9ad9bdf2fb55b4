# SPDX-License-Identifier: Apache-2.0
"""The words after ``metrics=``, here and in folders that a command line adds, and the metrics that they choose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fvhydra.config.metrics import Choice, MetricsConfig, choices
from fvhydra.config.problems import ConfigError
from fvhydra.config.schema import conf_dir
from fvhydra.core.errors import UsageError, nearest
from fvhydra.core.untrusted import read_yaml
from fvhydra.metrics.catalogue import CLASSES, metric_class
from fvhydra.metrics.planned import PLANNED
from fvhydra.metrics.spec import Spec


@dataclass(frozen=True)
class Offer:
    """A metric that can be asked for.

    Attributes:
        id: ``family.name``.
        word: What chooses it after ``metrics=``, and the fewest others; empty where nothing does.
        target: Dotted path of the class of a metric from outside this package.
        config_dir: The folder that has the word; None for our own.
    """

    id: str
    word: str = ""
    target: str | None = None
    config_dir: Path | None = None

    def spec(self) -> Spec:
        """What the metric says of itself, also where it is only planned.

        Raises:
            UsageError: Its class cannot be imported, or is none.
        """
        return PLANNED[self.id] if self.id in PLANNED and not self.target else metric_class(self.id, self.target).spec


def offers(config_dirs: Iterable[Path], use: Mapping[str, Any]) -> dict[str, Offer]:
    """Every metric by id, sorted: those of this package, those that YAML files name, and those that were asked for.

    Args:
        config_dirs: Folders like ``conf/`` that the command line adds.
        use: ``metrics.use`` of the configuration.

    Raises:
        UsageError: A YAML file of one of the folders is none, or names no metrics.
    """
    found = {name: Offer(name) for name in (*CLASSES, *PLANNED)}
    asked = choices(MetricsConfig(use=dict(use)))
    chosen: list[tuple[Choice, str, Path | None]] = [(choice, "", None) for choice in asked]
    folders: list[Path | None] = [None, *config_dirs]
    words = [(folder, path.stem, _members(path)) for folder in folders for path in _files(folder or conf_dir())]
    for folder, word, members in sorted(words, key=lambda item: (item[0] is not None, len(item[2]))):
        chosen += [(choice, word, folder) for choice in members]
    # the first word is the best one
    for choice, word, folder in chosen:
        known = found.get(choice.id)
        if known is None or not known.word:
            target = choice.target or (known.target if known else None)
            found[choice.id] = Offer(choice.id, word, target, folder)
    return dict(sorted(found.items()))


def offered(metric: str, among: Mapping[str, Offer]) -> Offer:
    """One of the metrics that there are.

    Raises:
        UsageError: There is no such metric.
    """
    if metric not in among:
        raise UsageError(
            f"There is no metric {metric}.{nearest(metric, among)}",
            "`fvhydra op=metrics` lists all; those of a folder of yours with --config-dir=<folder>.",
        )
    return among[metric]


def _files(folder: Path) -> list[Path]:
    return sorted((folder / "metrics").glob("*.yaml"))


def _members(path: Path) -> Sequence[Choice]:
    read = read_yaml(path) or {}
    use = read.get("use") or {} if isinstance(read, dict) else read
    try:
        if not isinstance(use, dict):
            raise ConfigError([f"use: {use!r}: must be metrics by family and name."])
        return choices(MetricsConfig(use=use))
    except ConfigError as error:
        raise UsageError(f"{path}: {error}") from error
