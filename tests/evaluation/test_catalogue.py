# SPDX-License-Identifier: Apache-2.0
"""The catalogue of metrics agrees with ``conf/metrics`` and with itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from fvhydra.config.schema import conf_dir
from fvhydra.core import files
from fvhydra.metrics.catalogue import CLASSES, metric_class
from fvhydra.metrics.planned import PLANNED

FILES = sorted((conf_dir() / "metrics").glob("*.yaml"))


def chosen(path: Path) -> dict[str, dict[str, Any]]:
    use = yaml.safe_load(path.read_text(encoding="utf-8")).get("use") or {}
    return {f"{family}.{name}": params for family, metrics in use.items() for name, params in metrics.items()}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_lists_every_parameter_with_its_default_and_every_asset(path: Path) -> None:
    assets = yaml.safe_load(path.read_text(encoding="utf-8")).get("assets") or {}
    expected = set()
    for metric, params in chosen(path).items():
        spec = metric_class(metric).spec
        assert params == files.plain(spec.params(**params)), metric
        assert sorted(params) == sorted(files.plain(spec.params())), metric
        expected |= {asset.name for asset in spec.assets}
    assert assets == dict.fromkeys(expected)


def test_every_metric_can_be_chosen_by_a_word() -> None:
    assert sorted({metric for path in FILES for metric in chosen(path)}) == sorted(CLASSES)


def test_no_metric_is_both_planned_and_there() -> None:
    assert not set(CLASSES) & set(PLANNED)


@pytest.mark.parametrize("metric", sorted(PLANNED))
def test_planned_ones_are_described(metric: str) -> None:
    """Those that are there are held to more: tests/contracts/test_metrics.py."""
    spec = PLANNED[metric]
    assert spec.id == metric and metric.count(".") == 1 and spec.planned
    assert spec.title and not spec.title.endswith(".") and spec.source
    assert len({asset.name for asset in spec.assets}) == len(spec.assets)
    assert spec.low is None or spec.high is None or spec.low < spec.high
    spec.params()  # every parameter has a default
