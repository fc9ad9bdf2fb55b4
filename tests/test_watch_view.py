# SPDX-License-Identifier: Apache-2.0
"""The table of runs that are watched: nothing that tells how they are is pushed out by long names."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from fvhydra.core.verdict import Verdict
from fvhydra.ops.watched import View, WatchedRun
from fvhydra.watch_view import _picture

WHAT = "run_job wan22_ti2v_5b"
WORKING = {"state": "running", "stage": "denoise", "clip": 1, "msg": "a lighthouse", "step": 3, "steps": 50}
PACE = {"done": 1, "total": 3, "elapsed_s": 125.0, "eta_s": 3725.0, "gpu_memory_mb": [61440, 1024], "job": "night"}


@pytest.mark.parametrize("width", [80, 99, 100, 200])
def test_how_a_run_is_stands_there_in_any_width(width: int) -> None:
    names = [f"run_job/a_story_with_a_long_name/20261127T061330Z-ab067{index}" for index in range(2)]
    working = WatchedRun(names[0], [], WHAT, "", "running", WORKING | PACE, silent_s=2.0)
    ended = WatchedRun(names[1], [], WHAT, "", "failed", verdict=Verdict.INFRASTRUCTURE, message="It hung.")
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as capture:
        console.print(_picture(View("outputs", [working, ended], stale_s=10.0), width))
    shown = capture.get()
    parts = ("infrastructure", "1/3", "2:05", "1:02:05", "2 s ago", "60.0+1.0", "clip 1 step 3/50", "job night")
    for part in parts:
        assert part in " ".join(shown.split()), shown
    hanging = _picture(View("outputs", [working], stale_s=1.0), width)
    with console.capture() as capture:
        console.print(hanging)
    assert f"{names[0]}: no heart-beat for 2 s" in " ".join(capture.get().split())
    assert f"{names[1]}: It hung." in " ".join(shown.split())
    assert all(len(line) <= width for line in shown.splitlines())
