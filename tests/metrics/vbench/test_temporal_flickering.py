# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.metrics.golden import load, recipes
from tests.metrics.running import make, score, skips

GOLDEN = load("temporal_flickering")


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["name"])
@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_recorded(case: dict[str, Any], chunk: int) -> None:
    clip = recipes.clip(recipes.checked(case["video"], case["sha"]))
    found = score(make("vbench.temporal_flickering", parity="peer"), chunk=chunk, video=clip)
    assert found.value == pytest.approx(case["score"], abs=GOLDEN["tolerance"])
    expected = case["details"].get("per_pair_mae", [])
    assert found.series["per_pair_mae"] == pytest.approx(expected, abs=1e-5)
    assert found.frames == len(clip)


def test_one_frame_is_no_score() -> None:
    clip = np.zeros((1, 16, 16, 3), np.uint8)
    with skips("too_short", "two"):
        score(make("vbench.temporal_flickering"), video=clip)
    assert score(make("vbench.temporal_flickering", parity="peer"), video=clip).value == 1
