# SPDX-License-Identifier: Apache-2.0
"""The description of a metric, as plain data: inputs, outputs, parameters, weights. Listing loads nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

Kind = Literal["sample", "set"]
"""``sample``: every clip has a value. ``set``: only all clips together have one."""

Direction = Literal["higher", "lower", "none"]
"""Which way is better; ``none`` for a value that only describes."""

Medium = Literal["video", "audio", "file", "text", "data"]
"""``video`` is decoded and arrives in chunks; ``audio`` and ``file`` are paths; ``text`` and ``data`` are values."""


@dataclass(frozen=True)
class Input:
    """A key of a sample that the metric reads.

    Attributes:
        key: ``video``, ``reference``, ``audio``, ``text_prompt``, ``actions``, ... (``docs/evaluation.md`` lists them).
        medium: How it arrives. A string under a ``video``, ``audio`` or ``file`` key is a path, made a
            :class:`~pathlib.Path` when samples are read.
        required: Without it the metric skips the sample, and says so.
        least_frames: A shorter video is skipped.
    """

    key: str
    medium: Medium
    required: bool = True
    least_frames: int = 1


@dataclass(frozen=True)
class Output:
    """A named value beside the primary one.

    Attributes:
        per: ``clip``: one number a sample, in the results. ``frame``, ``pair`` (of neighbouring frames): an array a
            sample, in the side file.
    """

    name: str
    unit: str = "1"
    direction: Direction = "none"
    per: Literal["clip", "frame", "pair"] = "clip"


@dataclass(frozen=True)
class Asset:
    """Weights that a metric loads.

    Attributes:
        name: The key of ``metrics.assets.<name>=<folder or file>``, which puts local weights in its place.
        repo: Hub repository, or the address of a single file.
        revision: Commit that the metric was written against; None where nobody has verified one yet, in which case the
            resolved commit is recorded.
        files: What is loaded of it; empty for a repository that a library loads by itself.
        sha256: Of the single file, where there is one and its hash is known.
        megabytes: About how much is downloaded; None where nobody has looked.
        licence: SPDX name, or what the authors say.
        commercial: Whether the licence allows commercial use; None where nobody knows.
        when: Parameter and value with which it is loaded, as ``extractor=clip``. Empty: always.
        packages: Top-level modules that its network is made with, beyond what fvhydra itself needs.
        named_by: Parameter that names other weights of the same kind, a repository or a folder. Empty: there are none.
    """

    name: str
    repo: str
    megabytes: int | None
    licence: str
    revision: str | None = None
    files: tuple[str, ...] = ()
    sha256: str | None = None
    commercial: bool | None = None
    when: str = ""
    packages: tuple[str, ...] = ("torch", "transformers")
    named_by: str = ""

    def chosen(self, params: Any) -> Asset:
        """What is loaded with these parameters: other weights where they name some, of which nothing is known."""
        repo = getattr(params, self.named_by) if self.named_by else self.repo
        if repo == self.repo:
            return self
        return replace(self, repo=repo, revision=None, sha256=None, megabytes=None, licence="unknown", commercial=None)


@dataclass(frozen=True)
class Spec:
    """The description of a metric.

    Attributes:
        id: ``family.name``, one dot, as in ``metrics.use.family.name``.
        version: Raised with every change of its numbers; results of two versions are never mixed.
        title: One line: what it measures.
        low: Least possible value, None where there is none.
        high: Largest possible value, None where there is none.
        unit: ``1``, ``dB``, ``px``, ``s``, ...
        inputs: What it reads of a sample.
        outputs: Named values beside the primary one.
        params: A pydantic dataclass of its parameters, with defaults.
        assets: Weights it loads.
        packages: Top-level modules that it imports beyond what fvhydra itself and its assets need.
        source: Paper or project the formula is from.
        rule: How the value over all samples comes of theirs, in words. Anything but ``mean`` is computed by the
            metric's own ``corpus``.
        comparable_to: Published tables its values may stand in, by name. Empty: none. Where this takes certain
            parameters they are named, and the property of the metric says whether it has them.
        ideal: Its value for a clip that equals its reference, where it has one. May be infinite, which is written down
            as null, with a reason, and counted in no mean.
        sees: Mutations of a clip (``docs/evaluation.md``) that make it worse; a test holds it to each.
        planned: Listed, and not there yet.
    """

    id: str
    version: int
    title: str
    kind: Kind
    direction: Direction
    unit: str
    inputs: tuple[Input, ...]
    params: type[Any]
    low: float | None = None
    high: float | None = None
    outputs: tuple[Output, ...] = ()
    assets: tuple[Asset, ...] = ()
    packages: tuple[str, ...] = ()
    source: str = ""
    rule: str = "mean"
    comparable_to: tuple[str, ...] = ()
    ideal: float | None = None
    sees: tuple[str, ...] = ()
    planned: bool = False

    @property
    def family(self) -> str:
        """What comes before the dot of the id."""
        return self.id.partition(".")[0]

    def loads(self, params: Any) -> tuple[Asset, ...]:
        """The weights that are loaded with these parameters."""
        chosen = {f"{name}={value}" for name, value in vars(params).items()}
        return tuple(asset.chosen(params) for asset in self.assets if not asset.when or asset.when in chosen)

    def imports(self, params: Any) -> list[str]:
        """The top-level modules that it needs with these parameters beyond what fvhydra itself does."""
        return list(dict.fromkeys([*self.packages, *(name for asset in self.loads(params) for name in asset.packages)]))

    def keys(self, medium: Medium) -> tuple[str, ...]:
        """The sample's keys of one medium, optional ones included."""
        return tuple(item.key for item in self.inputs if item.medium == medium)
