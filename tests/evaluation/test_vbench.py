# SPDX-License-Identifier: Apache-2.0
"""Where an evaluation stands on VBench's scale."""

from __future__ import annotations

import pytest

from fvhydra.core.scores import MetricSummary
from fvhydra.evaluation.vbench import standing


def measured(dimension: str, value: float, **by_tag: float) -> MetricSummary:
    tags = {f"dimension={name}": {"value": tagged, "ok": 1} for name, tagged in by_tag.items()}
    return MetricSummary(f"vbench.{dimension}", 1, "", "sample", "higher", "1", value, by_tag=tags)


@pytest.mark.parametrize(
    ("by_tag", "expected"),
    [({}, {"color": 0.5}), ({"color": 0.9, "scene": 0.1}, {"color": 0.9}), ({"scene": 0.1}, None)],
)
def test_a_dimension_counts_on_its_own_prompts(by_tag: dict[str, float], expected: dict[str, float] | None) -> None:
    found = standing([measured("color", 0.5, **by_tag)])
    assert (found and found["columns"][0]["values"]) == expected
