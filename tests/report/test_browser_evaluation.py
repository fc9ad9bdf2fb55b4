# SPDX-License-Identifier: Apache-2.0
"""The pages of evaluations in a real browser: players, filters, and the table of thousands of samples."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from fvhydra.core.result import RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.evaluation.vbench import standing
from fvhydra.report.write import write_report
from tests.report.conftest import Tab
from tests.report.evaluations import WORST_FRAME, compared_run, evaluated_run, many_samples, vbench_summaries
from tests.report.run_folders import FRAMES, Run


def written(run: Run) -> Path:
    return write_report(run.folder, run.result, run.manifest)


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(evaluated_run(tmp_path_factory.mktemp("evaluation")))


def cells(tab: Tab) -> list[list[str]]:
    return [line.locator("th, td").all_inner_texts() for line in tab.page.locator("#samples tbody tr").all()]


def forgive_missing_clips(tab: Tab) -> None:
    """Only three of the samples have their clips on disk."""
    tab.noise[:] = [message for message in tab.noise if "ERR_FILE_NOT_FOUND" not in message]


def test_the_worst_clip_opens_at_its_worst_frame_and_its_curve_seeks(tab: Tab, evaluation: Path) -> None:
    worst = tab.open(evaluation).locator("#common\\.ssim article").first
    worst.scroll_into_view_if_needed()
    worst.locator(f"[data-screen=video] canvas[data-frame='{WORST_FRAME}']").wait_for()
    assert worst.locator(".readout").inner_text() == f"frame {WORST_FRAME + 1} of {FRAMES} · 0.58 s · frames 0.5000"
    curve = worst.get_by_role("slider", name="Frame")
    box = curve.bounding_box()
    assert box
    curve.click(position={"x": 2.5 / FRAMES * box["width"], "y": 50})
    worst.locator("[data-screen=reference] canvas[data-frame='2']").wait_for()
    assert worst.locator("[data-screen=difference]").is_visible()
    forgive_missing_clips(tab)


def test_values_between_frames_are_read_out_where_they_are_finite(tab: Tab, evaluation: Path) -> None:
    card = tab.open(evaluation).locator("#common\\.psnr article").first
    card.scroll_into_view_if_needed()
    card.locator("[data-screen=video] canvas[data-frame='0']").wait_for()
    curve = card.get_by_role("slider", name="Frame")
    box = curve.bounding_box()
    assert box and card.locator(".curve polyline").count() == 5
    for frame, says in ((2, "· pairs 30.0000"), (3, "s"), (FRAMES - 1, "s")):
        curve.click(position={"x": (frame + 0.5) / FRAMES * box["width"], "y": 50})
        card.locator(f"[data-screen=video] canvas[data-frame='{frame}']").wait_for()
        assert card.locator(".readout").inner_text().endswith(says)
    forgive_missing_clips(tab)


def test_one_metric_or_one_tag_at_a_time(tab: Tab, evaluation: Path) -> None:
    page = tab.open(evaluation)
    page.get_by_role("button", name="common.psnr", exact=True).first.click()
    assert [part.get_attribute("id") for part in page.locator("section.metric:visible").all()] == ["common.psnr"]
    page.get_by_label("tag").select_option("tag 1")
    shown = page.locator("article:visible h3").all_inner_texts()
    assert len(shown) == 5 and all("tag 1" in text for text in shown)
    names = [line[0] for line in cells(tab)]
    assert len(names) == 7 and [name[4:6].strip() for name in names if "set/" in name] == [
        "1",
        "11",
        "3",
        "5",
        "7",
        "9",
    ]
    page.get_by_role("button", name="all metrics").click()
    assert page.locator("section.metric:visible").count() == 3
    forgive_missing_clips(tab)


def test_hostile_samples_are_text_in_the_table_too(tab: Tab, evaluation: Path) -> None:
    tab.open(evaluation)
    assert any("<script>alert(1)</script>" in line[0] for line in cells(tab))
    assert ["broken.mp4", "–", "failed", "–"] in cells(tab)
    tab.page.get_by_label("name or prompt").fill("<SCRIPT>alert")
    assert len(cells(tab)) == 2  # one by its prompt, one by its name
    forgive_missing_clips(tab)


def test_five_thousand_samples_stay_usable(tab: Tab, tmp_path: Path) -> None:
    index = written(many_samples(tmp_path, 5000))
    began = time.monotonic()
    page = tab.open(index)
    assert len(cells(tab)) == 50
    assert page.locator("#samples [role=status]").inner_text() == "1 to 50 of 5000"
    page.locator("#samples thead button", has_text="common.ssim").click()
    values = [float(line[1]) for line in cells(tab)]
    assert values == sorted(values)
    page.locator("#samples thead button", has_text="common.ssim").click()
    assert float(cells(tab)[0][1]) > values[-1]
    page.locator("#samples thead button", has_text="sample").click()
    page.get_by_role("button", name="next").click()
    assert cells(tab)[0][0] == "00050.mp4"
    page.get_by_label("name or prompt").fill("prompt 4999")
    assert [line[0] for line in cells(tab)] == ["04999.mp4"]
    assert page.locator("#samples a").get_attribute("href") == "../gen/04999.mp4"
    assert time.monotonic() - began < 10
    forgive_missing_clips(tab)


def test_both_clips_of_a_pair_stand_side_by_side(tab: Tab, tmp_path: Path) -> None:
    card = tab.open(written(compared_run(tmp_path))).locator("article").first
    card.scroll_into_view_if_needed()
    for side in ("before", "after", "difference"):
        card.locator(f"[data-screen={side}] canvas[data-frame='0']").wait_for()
    tab.page.keyboard.press("j")
    tab.page.keyboard.press("End")
    card.locator(f"[data-screen=after] canvas[data-frame='{FRAMES - 1}']").wait_for()


@pytest.mark.parametrize("width", [1280, 400])
def test_every_page_fits(browser: Browser, width: int, tmp_path: Path) -> None:
    tab = Tab(browser, width)
    metrics = vbench_summaries()
    (tmp_path / "vbench").mkdir()
    vbench = RunResult("eval", Verdict.DONE, metrics=metrics, details={"vbench": standing(metrics)})
    runs = [evaluated_run(tmp_path / "a"), compared_run(tmp_path / "b"), Run(tmp_path / "vbench", vbench, {})]
    for run in runs:
        page = tab.open(written(run))
        assert page.evaluate("document.documentElement.scrollWidth") <= width, run.folder.name
        page.screenshot(path=tmp_path / f"{run.folder.name}.png", full_page=True)
    tab.context.close()
