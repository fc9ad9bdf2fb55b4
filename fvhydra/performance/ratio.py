# SPDX-License-Identifier: Apache-2.0
"""How much slower one side is than another, from runs that took turns.

Runs are paired as they followed each other, so what drifts slowly is in both of a pair. The ratio of a quantity is the
median over the pairs of the ratio in each; its interval is the bootstrap's, expanded for small samples (T. Hesterberg,
"What Teachers Should Know About the Bootstrap", 2015, section 5.3): percentiles of the resampled medians at
``Phi(-sqrt(n / (n - 1)) t)``, with ``t`` the quantile of Student's distribution for the level. The level is that of all
quantities together (Bonferroni), 95 %.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist, median

import numpy as np

from fvhydra.core.performance import PerfRatio
from fvhydra.performance.measure import FURTHER, Run, samples
from fvhydra.performance.record import METRICS

LEAST_PAIRS = 8
"""Pairs below which nothing is claimed: by chance alone all of them lie on one side once in 128 times, which six
or seven quantities make about one in twenty."""
LEAST_CHANGE = 0.01
"""Share below which a difference is not claimed, however sure: two processes of one program differ by as much."""
LEAST_MEMORY_CHANGE, LEAST_MEMORY_MB = 0.02, 64.0
"""The same of memory, a share and an amount: what a process holds of its allocator's pages is chance."""
LEAST_OF_LATENCY = 0.005
"""Share of the latency that a component must have gained or lost."""

_TOGETHER = 0.95
_RESAMPLES = 10_000
_SAME_AS_LATENCY = "throughput"


def ratios(this: Sequence[Run], against: Sequence[Run], seed: int = 0) -> list[PerfRatio]:
    """The ratio of each quantity that both sides measured, in the order of records.

    Args:
        this: Runs of the side that is asked about, in the order in which they ran.
        against: Those of the other, as many measured ones.
        seed: Equal runs and seed give equal intervals, in any process.
    """
    names = [name for name in (*METRICS, *FURTHER) if samples(this, name) and samples(against, name)]
    level = 1 - (1 - _TOGETHER) / max(1, len([name for name in names if name != _SAME_AS_LATENCY]))
    latency = median(samples(against, "latency")) if "latency" in names else 0.0
    return [_ratio(name, samples(this, name), samples(against, name), level, latency, seed) for name in names]


def interval(values: Sequence[float], level: float, seed: int = 0) -> tuple[float, float]:
    """The expanded bootstrap interval of the median of ``values``, of which there are at least two."""
    found, count = np.asarray(values, np.float64), len(values)
    draw = np.random.default_rng(seed)
    medians = np.median(found[draw.integers(0, count, (_RESAMPLES, count))], axis=1)
    tail = NormalDist().cdf(-math.sqrt(count / (count - 1)) * student_quantile(1 - (1 - level) / 2, count - 1))
    low, high = np.quantile(medians, [tail, 1 - tail])
    return float(low), float(high)


def student_quantile(share: float, freedom: int) -> float:
    """The quantile of Student's t distribution, for a share of 0.5 to 1, by bisection of its integral.

    Example:
        >>> round(student_quantile(0.975, 4), 3), round(student_quantile(0.975, 19), 3)
        (2.776, 2.093)
    """
    # x = sqrt(freedom) tan(angle) makes the density a power of the cosine, and every tail finite
    angles = np.linspace(0, math.pi / 2, 20_001)
    density = np.cos(angles) ** (freedom - 1)
    area = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    angle = float(np.interp((share - 0.5) * 2 * area[-1], area, angles))
    return math.sqrt(freedom) * math.tan(angle)


def _ratio(
    name: str, this: Sequence[float], against: Sequence[float], level: float, latency: float, seed: int
) -> PerfRatio:
    metric = METRICS.get(name)
    pairs = min(len(this), len(against))
    positive = min(*this, *against) > 0
    logs = [math.log(a / b) for a, b in zip(this, against, strict=False)] if positive else []
    between = interval(logs, level, seed) if pairs >= LEAST_PAIRS and logs else None
    found = PerfRatio(
        name=name,
        title=metric.title if metric else FURTHER[name],
        unit=metric.unit if metric else "s",
        higher_is_better=metric is not None and metric.higher_is_better,
        this=median(this),
        against=median(against),
        ratio=math.exp(median(logs)) if logs else None,
        interval=(math.exp(between[0]), math.exp(between[1])) if between else None,
        pairs=pairs,
    )
    found.claim = _claim(found, latency)
    return found


def _claim(found: PerfRatio, latency: float) -> str:
    if found.ratio is None or found.interval is None or found.interval[0] <= 1 <= found.interval[1]:
        return ""
    share, amount = LEAST_CHANGE, 0.0
    if found.name == "memory":
        share, amount = LEAST_MEMORY_CHANGE, LEAST_MEMORY_MB
    elif found.unit == "s" and found.name != "latency":
        amount = LEAST_OF_LATENCY * latency
    if abs(found.ratio - 1) < share or abs(found.this - found.against) < amount:
        return ""
    return "better" if (found.ratio > 1) == found.higher_is_better else "worse"


def summary(found: Sequence[PerfRatio]) -> Mapping[str, list[PerfRatio]]:
    """What is claimed: ``worse`` and ``better`` to the quantities."""
    return {claim: [each for each in found if each.claim == claim] for claim in ("worse", "better")}
