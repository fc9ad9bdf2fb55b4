# SPDX-License-Identifier: Apache-2.0
"""The page of two engines beside each other, in a real browser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser

from fvhydra.core.parity import (
    ParityArgument,
    ParityCase,
    ParityComparison,
    ParityDifference,
    ParitySeries,
    ParityStage,
    ParityTarget,
)
from fvhydra.core.result import NextCommand, RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.report.write import write_report
from tests.report.conftest import Tab
from tests.report.run_folders import FRAMES, HOSTILE, WORST, clip, write_clip

LEVELS = [1.0 + (9.0 if frame == WORST else 0.0) for frame in range(FRAMES)]


def written(folder: Path) -> Path:
    """A case that first differs in guidance, with clips of both sides."""
    outputs = {side: f"sides/{side}/case_0.mp4" for side in ("official", "candidate")}
    for side, path in outputs.items():
        write_clip(folder, path, clip(changed=range(WORST, WORST + 1) if side == "candidate" else range(0)))
    (folder / "maps").mkdir()
    np.save(folder / "maps" / "case_0_frames.npy", np.arange(24, dtype=np.float32).reshape(2, 3, 4))
    case = ParityCase(
        index=0,
        prompt=HOSTILE,
        targets=[ParityTarget("frames", [18, 144, 256, 3], [18, 144, 256, 3], 90.0, 1.5, 0.0, 0.01, 0.4, 0.004)],
        first=ParityDifference(
            "guidance", "scheduler.step in, step 1", "scheduler.step", "in", 1, 0, "value", [2], [2]
        ),
        look_at="the scale of guidance",
        compared=6,
        equal=2,
        beyond=4,
        stages=[
            ParityStage("initial noise", 1, 1, 1, 0, 0.0),
            ParityStage("guidance", 4, 4, 1, 3, 0.25),
            ParityStage("output", 0, 1, 0, 1),
        ],
        over_steps=[
            ParitySeries("transformer", "out", [0.0, 1e-6, 0.5, None]),
            ParitySeries("scheduler.step", "in", [0.0, 0.25, 0.1, 0.2]),
            ParitySeries("scheduler.step", "out", [0.0, 0.0, 0.5, 0.2]),
        ],
        frames=LEVELS,
        outputs=outputs,
        maps={"frames": "maps/case_0_frames.npy", "latent": "../elsewhere.npy"},
        arguments=[ParityArgument("zeta", 3.0, 4.0)],
        same_arguments=[ParityArgument("alpha", 1, 1)],
        verdict=Verdict.REGRESSION,
    )
    result = RunResult(
        op="parity",
        verdict=Verdict.REGRESSION,
        model="m",
        sides=("official", "candidate"),
        next_commands=[NextCommand("To see what remains", "python -m fvhydra op=parity sampling.x=1")],
        parity=ParityComparison("one", "other", 1e-4, [case]),
    )
    return write_report(folder, result, {})


@pytest.fixture(scope="module")
def parity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("parity"))


def test_both_sides_play_in_the_same_player_from_the_worst_frame(tab: Tab, parity: Path) -> None:
    article = tab.open(parity).locator("#case-0 article")
    article.scroll_into_view_if_needed()
    for screen in ("official", "candidate"):
        article.locator(f"[data-screen={screen}] canvas[data-frame='{WORST}']").wait_for(timeout=10_000)
    assert f"frame {WORST + 1} of {FRAMES}" in article.locator(".readout").inner_text()
    assert "difference, levels of 255 10" in article.locator(".readout").inner_text()
    assert article.locator("[data-screen=difference]").count() == 1


def test_the_first_divergence_is_marked_among_the_stages(tab: Tab, parity: Path) -> None:
    page = tab.open(parity)
    lines = [line.locator("th, td").all_inner_texts() for line in page.locator("table.sides tbody tr").all()]
    assert lines == [
        ["initial noise", "1 tensor", "1 tensor", "1", "–", "0"],
        ["guidance ✕ first difference", "4 tensors", "4 tensors", "1", "3", "0.25"],
        ["output", "–", "1 tensor", "0", "1", "–"],
    ]
    marked = page.locator("table.sides tr.bad")
    assert marked.count() == 1 and marked.get_attribute("id") == "first-0"


def test_differences_over_steps_are_curves_and_a_grid(tab: Tab, parity: Path) -> None:
    page = tab.open(parity)
    assert page.locator(".curves figcaption").all_inner_texts() == ["scheduler.step in", "scheduler.step out"]
    heights = page.locator(".curves polyline").first.get_attribute("points")
    assert heights and heights.split()[0].endswith(",100.0")
    lines = [line.locator("th, td").all_inner_texts() for line in page.locator("table.grid tbody tr").all()]
    assert lines == [["transformer", "=", "1e-06", "5e-01", "–"], ["scheduler.step", "=", "2e-01", "5e-01", "2e-01"]]
    colours = page.locator("table.grid tbody tr:first-child td").evaluate_all(
        "cells => cells.map((cell) => getComputedStyle(cell).backgroundColor)"
    )
    assert colours[0] == colours[3] and len(set(colours)) == 3


def test_maps_arguments_and_what_to_try_next_are_shown(tab: Tab, parity: Path) -> None:
    page = tab.open(parity)
    assert page.locator(".heatmap img[alt^=picture]").count() == 2  # of one map: the other is outside of the folder
    names = page.locator("h3:has-text('Arguments of the call') + table tbody th").all_inner_texts()
    assert names == ["zeta", "alpha"]  # those that differ come first
    assert "sampling.x=1" in page.locator(".masthead .notes").inner_text()


def test_nothing_is_wider_than_a_small_screen(browser: Browser, parity: Path) -> None:
    small = Tab(browser, width=390, scheme="dark")
    page = small.open(parity)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    small.context.close()
    assert not small.noise
