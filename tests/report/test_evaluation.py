# SPDX-License-Identifier: Apache-2.0
"""The page of an evaluation and of comparing two, as a parser sees them; what they do is in test_browser_evaluation."""

from __future__ import annotations

import json
import math
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

from fvhydra.core.files import write_text
from fvhydra.core.result import RunResult
from fvhydra.core.scores import side_file
from fvhydra.core.verdict import Verdict
from fvhydra.evaluation.vbench import standing
from fvhydra.metrics.functional.vbench.leaderboard import DIMENSIONS, leaderboard
from fvhydra.metrics.functional.vbench.published import COLUMNS
from fvhydra.report.clips import clip_view
from fvhydra.report.comparison import render_comparison
from fvhydra.report.curve import series
from fvhydra.report.evaluation import render_evaluation
from fvhydra.report.histogram import histogram
from fvhydra.report.radar import radar
from fvhydra.report.write import write_report
from tests.report.evaluations import compared_run, evaluated_run, many_samples, summary, vbench_summaries
from tests.report.run_folders import FRAMES, HOSTILE, Run, clip, write_clip
from tests.report.test_html import Page

SHOWN = '"quoted" <script>alert(1)</script> [x](http://evil.test)'


def page(run: Run) -> Page:
    render = render_evaluation if run.result.metrics else render_comparison
    return Page(render(run.folder, run.result, run.manifest))


def test_each_metric_has_a_line_with_value_interval_and_counts(tmp_path: Path) -> None:
    lines = page(evaluated_run(tmp_path)).all("tr")[1:]
    assert lines[0].startswith("common.ssim ↑ 0.8519 [0.8200, 0.8800] 12 ok 1 skipped ✕ regression min >= 0.99")
    assert lines[1].startswith("common.psnr ↑ 35.5000 12 ok 1 failed ✓ pass >= 30")
    assert lines[2].startswith("common.fvd ↓ 123.4000 12 ok –")


def test_the_worst_clips_come_first_then_the_best_and_a_set_metric_has_none(tmp_path: Path) -> None:
    html = page(evaluated_run(tmp_path))
    names = [text for text in html.all("h3") if text.split()[0] in ("worst", "best")]
    numbers = [text.split("set/")[1].split()[0] for text in names]
    assert numbers == ["0", "1", "2", "3", "4", "5", "11", "10", "9"] * 2
    places = [f"worst {place}" for place in range(1, 7)] + [f"best {place}" for place in range(1, 4)]
    assert [text.split(":")[0] for text in names[:9]] == places


def test_where_lower_is_better_the_highest_come_first(tmp_path: Path) -> None:
    run = evaluated_run(tmp_path)
    run.result.metrics[:] = [run.result.metrics[0]]
    object.__setattr__(run.result.metrics[0], "direction", "lower")
    first = next(text for text in page(run).all("h3") if text.startswith("worst"))
    assert "set/11 odd" in first


def test_reasons_are_told_once_with_how_many_and_which(tmp_path: Path) -> None:
    lines = page(evaluated_run(tmp_path)).all("tr")
    assert any(line.startswith("skipped: missing_input 1 no reference A cat") for line in lines)
    assert "failed 1 ValueError: it is <b>broken</b> broken.mp4" in lines


@pytest.mark.parametrize("make", [evaluated_run, compared_run])
def test_hostile_text_is_text_wherever_it_comes_in(make: object, tmp_path: Path) -> None:
    run = make(tmp_path)  # type: ignore[operator]
    run.manifest["command"] = [HOSTILE]
    html = page(run)
    assert all("alert(1)" not in code for code in html.all("script")[-1:])
    assert len(html.all("script")) == (2 if run.result.metrics else 1)
    for tag in ("p", "span", "td", "li", "dd"):
        if any("alert(1)" in text for text in html.all(tag)):
            assert any(SHOWN in text for text in html.all(tag))
    assert sum(SHOWN in text for text in html.all("p")) >= 2
    assert not {"\x00", "\x1b", "\ud800"} & set("".join(html.all("html")))


def test_the_table_of_all_samples_is_data_that_no_markup_can_leave(tmp_path: Path) -> None:
    run = evaluated_run(tmp_path)
    text = render_evaluation(run.folder, run.result, run.manifest)
    [data] = Page(text).all("script", id_="table")
    assert "<" not in data
    table = json.loads(data)
    assert table["metrics"] == ["common.ssim", "common.psnr", "common.fvd"] and len(table["rows"]) == 14
    by_name = {row[0]: row for row in table["rows"]}
    _, prompt, tags, url, values = by_name["set/0 odd #name? 50%.mp4"]
    assert (prompt, tags, values[1:]) == (json.loads(json.dumps(HOSTILE)), ["tag 0"], [30.0, None])
    assert (run.folder / "report" / unquote(url)).resolve() == (run.folder / "artifacts/0.mp4").resolve()
    assert by_name["broken.mp4"][4] == [None, "failed", None]


def test_beyond_what_a_page_can_hold_the_file_is_linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fvhydra.report.evaluation._LISTED", 10)
    html = page(evaluated_run(tmp_path))
    assert not html.all("script", id_="table")
    assert "../scores.jsonl" in html.attributes("a", "href")


def test_five_thousand_samples_make_a_small_page(tmp_path: Path) -> None:
    run = many_samples(tmp_path, 5000)
    assert len(render_evaluation(run.folder, run.result, run.manifest)) < 900_000
    assert len(page(run).all("article")) == 9


def test_clips_inside_the_folder_are_relative_others_are_files(tmp_path: Path) -> None:
    inside = page(evaluated_run(tmp_path / "a")).attributes("video", "src")
    assert inside and all(url.startswith("../artifacts/") for url in inside)
    outside = page(compared_run(tmp_path / "b")).attributes("video", "src")
    assert outside == [(tmp_path / "b" / side / "0.mp4").as_uri() for side in ("before", "after")]


def test_a_damaged_side_file_costs_only_its_curve(tmp_path: Path) -> None:
    run = evaluated_run(tmp_path)
    side_file(tmp_path, "set/0 odd #name? 50%.mp4").write_bytes(b"PK\x03\x04 not really")
    assert len(page(run).all("article")) == 18


def test_without_rows_there_is_still_a_page(tmp_path: Path) -> None:
    run = evaluated_run(tmp_path)
    (tmp_path / "scores.jsonl").unlink()
    assert "3 metrics, 0 samples" in page(run).all("h2")


def test_a_comparison_shows_the_largest_change_first_and_says_what_was_not_compared(tmp_path: Path) -> None:
    html = page(compared_run(tmp_path))
    names = [text for text in html.all("h3") if text.split(":")[0] in ("worse", "better", "equal")]
    assert [text.split(":")[0] for text in names] == ["worse", "better", "equal"]
    rows = html.all("tr")
    assert any("-0.0667 [-0.2000, 0.0500], 0.7500 → 0.6833 1/1/1 of 3 pairs, p = 1" in row for row in rows)
    assert any("not compared: version 1 there A cat" in row for row in rows)


def test_a_damaged_line_of_pairs_is_named(tmp_path: Path) -> None:
    run = compared_run(tmp_path)
    write_text(tmp_path / "pairs.jsonl", '{"metric": 5}\n')
    with pytest.raises(Exception, match=r"pairs\.jsonl line 1 is not a pair of scores"):
        page(run)


@pytest.mark.parametrize("make", [evaluated_run, compared_run])
def test_all_three_files_are_written(make: object, tmp_path: Path) -> None:
    run = make(tmp_path)  # type: ignore[operator]
    index = write_report(run.folder, run.result, run.manifest)
    assert sorted(path.name for path in index.parent.iterdir()) == ["index.html", "junit.xml", "summary.md"]
    assert "metric" in index.read_text() and "| metric | " in (index.parent / "summary.md").read_text()


# ---------------------------------------------------------------------- VBench
def test_published_columns_add_up_to_the_leaderboards_totals() -> None:
    # quality, semantic and total of these four as the leaderboard lists them, in percent
    listed = {"LaVie": (78.78, 70.31, 77.08), "ModelScope": (78.05, 66.54, 75.75),
              "VideoCrafter-0.9": (74.91, 65.46, 73.02), "CogVideo": (72.06, 46.83, 67.01)}  # fmt: skip
    for model, column in COLUMNS.items():
        found = leaderboard(column)
        scores = [round(100 * (score or 0), 2) for score in (found.quality, found.semantic, found.total)]
        assert scores == pytest.approx(listed[model], abs=0.011), model


def test_all_sixteen_dimensions_make_a_radar_with_published_columns() -> None:
    found = standing(vbench_summaries())
    assert found and [column["name"] for column in found["columns"]] == ["this run", *COLUMNS]
    own = found["columns"][0]
    assert own["total"] == pytest.approx(leaderboard(dict.fromkeys(DIMENSIONS, 0.5)).total)
    assert own["normalised"]["dynamic_degree"] == pytest.approx(0.5)  # its weight is no part of the axis
    html = Page(render_evaluation(Path("nowhere"), _vbench_result(), {}))
    assert [points.count(",") for points in html.attributes("polygon", "points")] == [16] * 5


def test_an_incomplete_set_has_neither_total_nor_radar() -> None:
    found = standing(vbench_summaries(without=("scene", "color")))
    assert found and found["missing"] == ["color", "scene"] and len(found["columns"]) == 1
    html = Page(render_evaluation(Path("nowhere"), _vbench_result(("scene", "color")), {}))
    assert any(text.startswith("incomplete: missing color, scene.") for text in html.all("p"))
    assert not html.attributes("polygon", "points")


def test_a_variant_does_not_count_as_the_dimension_and_other_metrics_have_no_radar() -> None:
    variant = [summary for summary in vbench_summaries() if summary.metric != "vbench.scene"]
    object.__setattr__(variant[0], "metric", "vbench.scene@avocado")
    found = standing(variant)
    assert found and "scene" in found["missing"]
    assert standing([]) is None


def _vbench_result(without: tuple[str, ...] = ()) -> RunResult:
    metrics = vbench_summaries(without)
    return RunResult("eval", Verdict.DONE, metrics=metrics, details={"vbench": standing(metrics)})


# ---------------------------------------------------------------------- geometry
def test_a_histogram_counts_every_value_once_and_marks_gates_that_lie_within() -> None:
    values = np.random.default_rng(1).random(500).tolist()
    found = histogram(values, 0.5, [("inside", 0.25), ("outside", 2.0)])
    assert found and sum(bar.count for bar in found.bars) == 500
    assert [label for label, _ in found.limits] == ["inside"]
    assert max(bar.height for bar in found.bars) == 100
    assert histogram([0.5]) is None
    assert histogram([0.5, 0.5]) is not None


def test_a_series_has_gaps_where_it_is_not_finite_and_pairs_stand_between_their_frames() -> None:
    values = [1.0, 2.0, float("inf"), 4.0, float("nan")]
    found = series("psnr", values, len(values))
    assert [line.count(",") for line in found.lines] == [2, 1]
    assert found.lines[0].startswith("10.0,") and found.low < 1 < 4 < found.high
    between = series("change", [1.0] * (FRAMES - 1), FRAMES)
    assert between.lines[0].startswith(f"{round(100 / FRAMES, 3)},50.0")
    assert series("none", [float("nan")], 1).lines == []


def test_the_worst_frame_is_by_the_direction_of_the_series(tmp_path: Path) -> None:
    write_clip(tmp_path, "a.mp4", clip())
    error = [1.0, 5.0, *[2.0] * (FRAMES - 2)]
    starts = []
    for direction in ("higher", "lower", "none"):
        player = clip_view(tmp_path, "a", {"video": "a.mp4"}, {"error": error}, direction).player
        assert player
        starts.append(player.start)
    assert starts == [0, 1, 0]


def test_half_of_vbench_has_the_score_of_that_half() -> None:
    semantic = tuple(name for name, dimension in DIMENSIONS.items() if dimension.group == "semantic")
    html = Page(render_evaluation(Path("nowhere"), _vbench_result(semantic), {}))
    quality = leaderboard(dict.fromkeys(DIMENSIONS, 0.5)).quality
    assert f"quality {quality:.4f}" in html.all("p")


def test_each_corner_of_the_radar_lies_at_its_value_on_the_leaderboards_scale() -> None:
    values = {name: {"subject_consistency": 1.0, "color": 0.0}.get(name, 0.9) for name in DIMENSIONS}
    metrics = [summary(f"vbench.{name}", [], value=value) for name, value in values.items()]
    found = radar(standing(metrics) or {})
    corners = [tuple(map(float, corner.split(","))) for corner in dict(found.shapes)["this run"].split()]
    radii = dict(zip(DIMENSIONS, (math.hypot(*corner) for corner in corners), strict=True))
    assert corners[0] == (0.0, -100.0)  # the first points upwards
    assert radii["color"] == 0.0 and radii["human_action"] == pytest.approx(90, abs=0.02)
    assert radii["motion_smoothness"] == pytest.approx(100 * (0.9 - 0.706) / (0.9975 - 0.706), abs=0.02)
    assert radii["temporal_style"] == pytest.approx(100, abs=0.02)  # beyond the scale: at its edge
