# SPDX-License-Identifier: Apache-2.0
"""``op=metrics`` lists and explains."""

from __future__ import annotations

from tests.conftest import Cli


def test_metrics_are_listed_and_explained(cli: Cli) -> None:
    listed = cli("op=metrics")
    assert listed.code == 0
    assert "common.ssim" in listed.out and "planned" in listed.out
    explained = cli("op=metrics", "metric=common.ssim")
    assert explained.code == 0
    for part in ("needs reference (video)", "metrics.use.common.ssim.border=zero", "metrics=pixel"):
        assert part in explained.out
    unknown = cli("op=metrics", "metric=common.sim")
    assert unknown.code == 2 and "Did you mean 'common.ssim'?" in unknown.text
