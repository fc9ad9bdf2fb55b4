# SPDX-License-Identifier: Apache-2.0
"""How a performance baseline is moved, as plain data: part of ``result.json``."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class BaselineMetric:
    """A metric of a batch of sources, and of the baseline before and after.

    Attributes:
        name: Its key in records.
        title: What people read.
        unit: ``s``, ``fps`` or ``MB``.
        higher_is_better: Its good direction.
        values: One a source, in their order; None where it was not measured.
        batch_median: Of those; None where none measured it.
        worst: The share of ``batch_median`` by which the worst source is on its bad side; None below two values, and
            where the median is not positive.
        spread: ``(max - min) / batch_median``; None as ``worst``.
        before: Median of the baseline as it is.
        after: Median of the baseline once the change is published.
    """

    name: str
    title: str
    unit: str
    higher_is_better: bool
    values: list[float | None] = field(default_factory=list)
    batch_median: float | None = None
    worst: float | None = None
    spread: float | None = None
    before: float | None = None
    after: float | None = None


@dataclass
class BaselineSource:
    """A record that moves a baseline, and where it comes from.

    Attributes:
        given: Path or address of the source.
        timestamp: When it was measured, as the source says.
        commit_sha: Of what.
        success: What the source says of its run.
        path: Of the new record in the store; of a record that is taken away, its own.
    """

    given: str
    timestamp: str
    commit_sha: str
    success: bool
    path: str


@dataclass
class BaselineWarning:
    """What looks wrong in a batch that follows the rules. ``name`` is a word, ``message`` a sentence."""

    name: str
    message: str


@dataclass
class BaselineMove:
    """A prepared move of a baseline.

    Attributes:
        target: What it is of: key to value, of the six fields of an identity, or model and device.
        reason: Why, in a line.
        allowed: Share of the batch's median by which a source may be worse; None where no sources are compared.
        git_commit: HEAD of the repository that the command ran in, or ``unknown``.
        successes: Eligible successful records before.
        note: What the change does to a median of the last records.
        backup: Folder of the backup, relative to the run folder; empty where there was nothing to back up.
        sources: In the order of their new records.
        metrics: One each, in the order of records.
        warnings: See :class:`BaselineWarning`.
        ceilings: A sentence on each fixed limit that the new medians exceed: another gate, changed in code review.
    """

    target: dict[str, str]
    reason: str
    allowed: float | None
    git_commit: str
    successes: int
    note: str
    backup: str
    sources: list[BaselineSource]
    metrics: list[BaselineMetric]
    warnings: list[BaselineWarning] = field(default_factory=list)
    ceilings: list[str] = field(default_factory=list)
