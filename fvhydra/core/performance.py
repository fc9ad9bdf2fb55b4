# SPDX-License-Identifier: Apache-2.0
"""What comparing a performance record with its baseline found out, as plain data: part of ``result.json``."""

from __future__ import annotations

from dataclasses import dataclass, field

from fvhydra.core.verdict import Verdict

STATUSES = {
    Verdict.PASS: "PASS",
    Verdict.REGRESSION: "REGRESSION",
    Verdict.NO_REFERENCE: "CALIBRATION_NEEDED",
    Verdict.RECIPE_MISMATCH: "RECIPE_MISMATCH",
    Verdict.INFRASTRUCTURE: "INFRA_ERROR",
    Verdict.INCONCLUSIVE: "INCONCLUSIVE",
}
"""``comparison_status`` of records, by verdict."""


@dataclass
class PerfMeasurement:
    """What was measured of one quantity over several runs.

    Attributes:
        name: Its key in records.
        title: What people read.
        unit: ``s``, ``fps`` or ``MB``.
        median: Over the runs.
        samples: Of each run.
        share: Of the latency; None where it is no part of that.
    """

    name: str
    title: str
    unit: str
    median: float
    samples: list[float]
    share: float | None = None


@dataclass
class PerfRatio:
    """A quantity of one side beside that of another, measured in turn on one machine.

    Attributes:
        name: Its key in records.
        title: What people read.
        unit: ``s``, ``fps`` or ``MB``.
        higher_is_better: Its good direction.
        this: Median of the side that is asked about.
        against: Median of the other.
        ratio: Median over the pairs of runs of ``this / against``; None where a value is not positive.
        interval: Of the ratio, 95 % for all quantities together; None where there are too few pairs.
        pairs: How many there are.
        claim: ``worse`` or ``better``; empty where nothing can be said.
    """

    name: str
    title: str
    unit: str
    higher_is_better: bool
    this: float
    against: float
    ratio: float | None
    interval: tuple[float, float] | None
    pairs: int
    claim: str = ""


@dataclass
class PerfMetric:
    """A metric of a record beside its baseline.

    Attributes:
        name: Its key in records.
        title: What people read.
        unit: ``s``, ``fps`` or ``MB``.
        higher_is_better: Its good direction.
        current: What was measured now; None where it was not.
        baseline: Median of the baseline's records; None where none of them measured it.
        change: ``(current - baseline) / baseline``; None where one of them is missing or the baseline is not positive.
        interval: 95 % bootstrap interval of ``change``; None where no single runs are known.
        threshold_percent: Share by which it may be worse.
        threshold_absolute: How much it may be worse at least, in its unit; both must be exceeded.
        gated: Whether it decides.
        verdict: ``pass``, ``regression`` or ``inconclusive``; None where there is nothing to compare.
        ceiling: The most that it may be on this GPU, whatever the baseline; None where there is no such limit.
        over_ceiling: Whether it is more.
        message: Why there is nothing to compare, or what else there is to say.
    """

    name: str
    title: str
    unit: str
    higher_is_better: bool
    current: float | None
    baseline: float | None
    change: float | None
    interval: tuple[float, float] | None
    threshold_percent: float
    threshold_absolute: float
    gated: bool
    verdict: Verdict | None
    ceiling: float | None = None
    over_ceiling: bool = False
    message: str = ""

    @property
    def allowed_change(self) -> float | None:
        """The ``change`` up to which it is no regression; None where there is no positive baseline to change from."""
        if self.baseline is None or self.baseline <= 0:
            return None
        worse = max(self.threshold_percent, self.threshold_absolute / self.baseline)
        return -worse if self.higher_is_better else worse


@dataclass
class BaselineRecord:
    """A record of a baseline, by its path in the store."""

    path: str
    timestamp: str
    commit_sha: str


@dataclass
class PerfComparison:
    """A record beside its baseline.

    Attributes:
        model_id: Id of the benchmark.
        gpu_type: Exact name of the device.
        target: What it is compared by, as a sentence.
        verdict: Of all metrics.
        reason: Why, in a sentence.
        runs: How many runs were measured; None where nobody recorded it.
        weights: ``real``, or what they were made of instead.
        metrics: One each, in the order of records, then what of the latency no component accounts for.
        baseline: The records that it is the median of, oldest first.
        eligible: How many of the target could be.
        record: File of the record, relative to the run folder, or as it was given.
    """

    model_id: str
    gpu_type: str
    timestamp: str
    commit_sha: str
    target: str
    verdict: Verdict
    reason: str
    runs: int | None
    weights: str
    metrics: list[PerfMetric]
    baseline: list[BaselineRecord] = field(default_factory=list)
    eligible: int = 0
    record: str = ""

    @property
    def status(self) -> str:
        """The verdict, in the ecosystem's word."""
        return STATUSES[self.verdict]
