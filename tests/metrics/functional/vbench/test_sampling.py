# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fvhydra.metrics.functional.vbench.sampling import middle_frames, spread_frames
from tests.metrics.golden import load

RECORDED = load("viclip_umt")["frame_indices"]


@pytest.mark.parametrize("name", RECORDED)
def test_recorded(name: str) -> None:
    frames, count = (int(part[1:]) for part in name.split("_"))
    assert middle_frames(frames, count) == RECORDED[name]["vbench_middle"]
    assert spread_frames(frames, count) == RECORDED[name]["peer_linspace"]


@pytest.mark.parametrize("choose", [middle_frames, spread_frames])
def test_nothing_to_take(choose: object) -> None:
    for frames, count in ((0, 4), (4, 0)):
        with pytest.raises(ValueError, match=f"{count} of {frames}"):
            choose(frames, count)  # type: ignore[operator]
