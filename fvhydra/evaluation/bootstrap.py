# SPDX-License-Identifier: Apache-2.0
"""Confidence intervals of means: the percentile bootstrap (B. Efron, "Bootstrap Methods", 1979)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RESAMPLES = 10_000
_LEVEL = 0.95
_DRAWS_AT_ONCE = 2**18  # what stays in the cache


def interval(values: Sequence[float], seed: int = 0) -> tuple[float, float] | None:
    """The 95 % interval of the mean of ``values`` over 10,000 resamples; None for fewer than two values.

    Equal values and seed give equal intervals, in any process.
    """
    if len(values) < 2:
        return None
    found = np.asarray(values, np.float64)
    draw = np.random.default_rng(seed)
    batch = max(1, _DRAWS_AT_ONCE // found.size)
    means = np.concatenate(
        [
            found[draw.integers(0, found.size, (min(batch, RESAMPLES - start), found.size))].mean(axis=1)
            for start in range(0, RESAMPLES, batch)
        ]
    )
    low, high = np.quantile(means, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return float(low), float(high)
