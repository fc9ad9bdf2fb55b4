# SPDX-License-Identifier: Apache-2.0
"""Metrics that were asked for, sorted, with their parameters."""

from __future__ import annotations

import pytest

from fvhydra.config.metrics import Choice, MetricsConfig, choices
from fvhydra.config.problems import ConfigError


def test_metrics_are_sorted_and_null_leaves_one_out() -> None:
    use = {
        "common": {"ssim": {"window": 7}, "psnr": {}, "fvd": None},
        "mine": {"zeta": {"_target_": "a.B", 1: 2}, "alpha": {}},
        "audio": {},
    }
    assert choices(MetricsConfig(use=use)) == [
        Choice("common.psnr", {}),
        Choice("common.ssim", {"window": 7}),
        Choice("mine.alpha", {}),
        Choice("mine.zeta", {"1": 2}, "a.B"),
    ]
    assert choices(MetricsConfig()) == []


def test_everything_that_is_no_metric_is_named() -> None:
    use = {"common": None, "mine": {"x": 3, "y": {}, "z": "q"}, "pixel": ["ssim"]}
    with pytest.raises(ConfigError) as refused:
        choices(MetricsConfig(use=use))
    assert refused.value.problems == [
        "metrics.use.common=None: must be names of metrics, as in common.ssim.",
        "metrics.use.mine.x=3: must be parameters, {} or null.",
        "metrics.use.mine.z='q': must be parameters, {} or null.",
        "metrics.use.pixel=['ssim']: must be names of metrics, as in common.ssim.",
    ]
