# SPDX-License-Identifier: Apache-2.0
"""The pages in a real browser, opened from disk as a person does: what they draw is read back from screenshots."""

from __future__ import annotations

import io
import time
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Locator

from fvhydra.core.result import SweepJob
from fvhydra.core.verdict import Verdict
from fvhydra.report.write import write_report, write_sweep_report
from tests.report.conftest import Tab
from tests.report.run_folders import FRAMES, WORST, Run, latent_run, pixel_run, seed_run


def written(run: Run) -> Path:
    return write_report(run.folder, run.result, run.manifest)


@pytest.fixture(scope="module")
def pixels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a pixel run, for tests that only look."""
    return written(pixel_run(tmp_path_factory.mktemp("pixels")))


def picture(place: Locator) -> NDArray[np.int16]:
    return np.asarray(Image.open(io.BytesIO(place.screenshot())).convert("RGB")).astype(np.int16)


def wait_for_frame(case: Locator, frame: int) -> None:
    case.locator(f"[data-screen=generated] canvas[data-frame='{frame}']").wait_for(timeout=10_000)


def frame_levels(case: Locator) -> tuple[float, float]:
    """Brightness of the upper left corners of reference and generated, in one screenshot: 40 + 8 * frame."""
    stage = case.locator(".stage")
    image, origin = picture(stage), stage.bounding_box()
    levels = []
    for screen in ("reference", "generated"):
        box = case.locator(f"[data-screen={screen}] canvas").bounding_box()
        assert box and origin
        x, y = round(box["x"] - origin["x"]) + 6, round(box["y"] - origin["y"]) + 6
        levels.append(float(image[y : y + 4, x : x + 4].mean()))
    return levels[0], levels[1]


def brightness(case: Locator) -> float:
    """Mean of the difference's middle."""
    return float(picture(case.locator("[data-screen=difference] canvas"))[20:-20, 20:-20].mean())


def test_it_opens_at_the_worst_frame(tab: Tab, pixels: Path) -> None:
    case = tab.open(pixels).locator("#case-1")
    case.scroll_into_view_if_needed()
    wait_for_frame(case, WORST)
    assert case.locator(".readout").inner_text() == f"frame {WORST + 1} of {FRAMES} · 0.92 s · MS-SSIM 0.6400"


def test_a_clip_that_is_not_loaded_yet_says_so_instead_of_being_black(tab: Tab, pixels: Path) -> None:
    page = tab.open(pixels)
    page.add_style_tag(content="header { min-height: 3000px }")  # everything is far below what is in sight
    screen = page.locator("#case-0 .screen").first
    waiting = screen.evaluate("(element) => getComputedStyle(element, '::after').content")
    background = screen.evaluate("(element) => getComputedStyle(element).backgroundColor")
    assert (waiting, background) == ('"loading"', "rgb(242, 242, 238)")
    screen.scroll_into_view_if_needed()
    page.locator("#case-0 canvas[data-frame]").first.wait_for()
    assert screen.evaluate("(element) => getComputedStyle(element, '::after').content") == "none"


def test_the_difference_is_black_exactly_where_the_clips_agree(tab: Tab, pixels: Path) -> None:
    page = tab.open(pixels)
    equal, moved = page.locator("#case-0"), page.locator("#case-1")
    moved.scroll_into_view_if_needed()
    wait_for_frame(moved, WORST)
    assert brightness(moved) > 10
    equal.scroll_into_view_if_needed()
    wait_for_frame(equal, 0)
    equal.get_by_label("amplify").fill("32")
    assert picture(equal.locator("[data-screen=difference] canvas"))[20:-20, 20:-20].max() == 0


def test_amplifying_makes_the_difference_brighter(tab: Tab, pixels: Path) -> None:
    case = tab.open(pixels).locator("#case-1")
    case.scroll_into_view_if_needed()
    wait_for_frame(case, WORST)
    seen = []
    for gain in ("1", "2", "32"):
        case.get_by_label("amplify").fill(gain)
        assert case.locator("output").inner_text() == gain
        seen.append(brightness(case))
    assert seen[0] * 1.3 < seen[1] < seen[2]


def test_a_click_on_the_curve_shows_exactly_that_frame_on_both_sides(tab: Tab, pixels: Path) -> None:
    case = tab.open(pixels).locator("#case-1")
    case.scroll_into_view_if_needed()
    curve = case.get_by_role("slider", name="Frame")
    box = curve.bounding_box()
    assert box
    for frame in (0, 5, FRAMES - 1, 6):
        curve.click(position={"x": (frame + 0.5) / FRAMES * box["width"], "y": 50})
        wait_for_frame(case, frame)
        assert curve.get_attribute("aria-valuenow") == str(frame)
        assert frame_levels(case) == pytest.approx((40 + 8 * frame, 40 + 8 * frame), abs=3.5)


def test_both_sides_play_in_lock(tab: Tab, pixels: Path) -> None:
    page = tab.open(pixels)
    case = page.locator("#case-1")
    case.scroll_into_view_if_needed()
    wait_for_frame(case, WORST)
    page.keyboard.press("Home")
    wait_for_frame(case, 0)
    case.get_by_label("play").click()
    shown, apart = [], []
    until = time.monotonic() + 4
    while time.monotonic() < until and len(set(shown)) < 8:
        reference, generated = frame_levels(case)
        apart.append(abs(reference - generated))
        shown.append(round((generated - 40) / 8))
    case.get_by_label("pause").click()
    assert len(set(shown)) >= 8
    # 8 levels are a frame: a browser on a busy machine may show one side's next frame a moment before the other's
    assert median(apart) < 3.5 and max(apart) < 11.5
    assert case.get_by_label("play").is_visible()
    times = page.evaluate("[...document.querySelectorAll('#case-1 video')].map((video) => video.currentTime)")
    assert times[0] == times[1] > 0


def test_playing_keeps_the_clips_time_and_stops_at_the_end(tab: Tab, pixels: Path) -> None:
    page = tab.open(pixels)
    case = page.locator("#case-1")
    case.scroll_into_view_if_needed()
    wait_for_frame(case, WORST)
    case.get_by_label("loop").uncheck()
    page.keyboard.press("Home")  # a check box has no use for that key
    wait_for_frame(case, 0)
    case.get_by_label("play").click()
    start = time.monotonic()
    wait_for_frame(case, FRAMES - 1)
    assert time.monotonic() - start > (FRAMES - 2) / 12  # 12 frames a second, never faster
    case.get_by_label("play", exact=True).wait_for()


def test_the_keyboard_drives_the_case_in_sight(tab: Tab, pixels: Path) -> None:
    page = tab.open(pixels)
    for _ in range(3):
        page.keyboard.press("j")
    case = page.locator("#case-1")
    assert page.evaluate("document.activeElement.id") == "case-1"
    for key, frame in (
        ("Home", 0),
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("ArrowLeft", 1),
        ("End", FRAMES - 1),
        ("w", WORST),
    ):
        page.keyboard.press(key)
        wait_for_frame(case, frame)
    page.keyboard.press(" ")
    case.get_by_label("pause").wait_for()
    page.keyboard.press(" ")
    case.get_by_label("play", exact=True).wait_for()
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.id") == "case-3"


def test_a_file_that_is_gone_says_so(tab: Tab, tmp_path: Path) -> None:
    run = pixel_run(tmp_path)
    index = written(run)
    for case in run.result.cases[:3]:
        assert case.artifact
        (run.folder / case.artifact).unlink()
    page = tab.open(index)
    for number in (2, 1, 0):
        case = page.locator(f"#case-{number}")
        case.scroll_into_view_if_needed()
        case.get_by_text("Cannot show this file.").locator("visible=true").wait_for()
    moved = page.locator("#case-1")
    moved.locator("[data-screen=reference] canvas[data-frame]").wait_for()
    assert not moved.locator("[data-screen=difference]").is_visible()
    assert all("ERR_FILE_NOT_FOUND" in message for message in tab.noise)
    tab.noise.clear()


def test_the_filter_leaves_one_verdict(tab: Tab, pixels: Path) -> None:
    page = tab.open(pixels)
    page.get_by_role("button", name="pass 1").click()
    assert [case.get_attribute("id") for case in page.locator(".case:visible").all()] == ["case-0"]
    assert page.locator("#overview tbody tr:visible").count() == 1
    page.get_by_role("button", name="all 4").click()
    assert page.locator(".case:visible").count() == 4


def test_a_sweep_leads_to_its_jobs(tab: Tab, tmp_path: Path) -> None:
    run = latent_run(tmp_path / "0 a#b")
    written(run)
    page = tab.open(write_sweep_report(tmp_path, [SweepJob(0, "seed=0", run.result, "0 a#b")]))
    page.get_by_role("link", name="report of job 0").click()
    assert page.title() == "check_ssim · ltx2"


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_and_follows_the_theme(browser: Browser, width: int, scheme: str, tmp_path: Path) -> None:
    tab = Tab(browser, width, scheme)
    runs = {"pixel": pixel_run, "latent": latent_run, "seed": seed_run}
    pages = {name: written(make(tmp_path / name)) for name, make in runs.items()}
    result = seed_run(tmp_path / "job").result
    result.verdict = Verdict.INFRASTRUCTURE
    pages["sweep"] = write_sweep_report(tmp_path, [SweepJob(0, "model=ltx2,seed=" + "9" * 90, result, "job")])
    for name, index in pages.items():
        page = tab.open(index)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        image = np.asarray(Image.open(io.BytesIO(page.screenshot(path=tmp_path / f"{name}.png"))).convert("L"))
        assert (np.median(image) > 200) == (scheme == "light"), name
    assert not tab.noise
    tab.context.close()
