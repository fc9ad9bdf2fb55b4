# SPDX-License-Identifier: Apache-2.0
"""The chain of a story on its page: every hand-over, the drift, the whole with a mark for each clip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fvhydra.core.clip_log import ClipLog, ClipLooks, Conditioning, FrameFile, Story, log_path
from fvhydra.core.files import write_json
from fvhydra.core.result import RunResult
from fvhydra.core.text import printable
from fvhydra.core.verdict import Verdict
from fvhydra.media.encode import encode
from fvhydra.media.picture import write_png
from fvhydra.report.chain import chain_view
from fvhydra.report.html import render_html
from fvhydra.similarity.drift import looks, mean_difference
from tests.report.run_folders import HOSTILE
from tests.report.test_html import Page

SECOND = 3
"""Frame of the whole that the second clip begins at."""


def _story(folder: Path, **second: Any) -> Story:
    clips = [np.full((4, 64, 64, 3), level, np.uint8) for level in (40, 200)]
    for index, frames in enumerate(clips):
        for name, frame in (("first", frames[0]), ("last", frames[-1])):
            write_png(folder / f"frames/{name}_frame_{index:03}.png", frame)
        begun = Conditioning("none")
        if index:
            handed = FrameFile("frames/last_frame_000.png", "ab" * 32)
            begun = Conditioning("clip", 0, handed, mean_difference(clips[0][-1], frames[0]))
        log = ClipLog(
            index=index,
            id=("dawn", "dusk")[index],
            state="done",
            prompt="x",
            seed=1,
            fingerprint="",
            conditioning=begun,
            first_frame=FrameFile(f"frames/first_frame_{index:03}.png", ""),
            looks=ClipLooks(**vars(looks(frames))),
            **(second if index else {}),
        )
        write_json(folder / log_path(index), log)
    encode(folder / "final_stitched.mp4", np.concatenate([clips[0][:SECOND], clips[1][1:]]), 4)
    return Story("night", 2, "final_stitched.mp4", 6, 4.0, [0, SECOND - 1])


def _page(folder: Path, story: Story) -> Page:
    return Page(render_html(folder, RunResult("run_job", Verdict.DONE, story=story), {}))


def test_a_hand_over_shows_both_frames_and_how_they_differ(tmp_path: Path) -> None:
    page = _page(tmp_path, _story(tmp_path))
    assert "end of dawn to start of dusk: differs by 160.00 of 255 on average" in page.all("h3")
    pictures = page.attributes("img", "src")
    assert pictures[:2] == ["../frames/last_frame_000.png", "../frames/first_frame_001.png"]
    assert pictures[2:4] == pictures[:2]  # once more, laid over each other


def test_the_whole_has_a_mark_where_each_clip_begins(tmp_path: Path) -> None:
    story = _story(tmp_path)
    view = chain_view(tmp_path, story)
    assert view.whole is not None and view.whole.player is not None and view.whole.curve is not None
    assert (view.whole.player.frames, view.whole.player.fps) == (6, 4.0)
    assert view.whole.curve.title == "mean luma"
    assert [list(curve.marks) for curve in (view.whole.curve, *view.whole.curves)] == [
        [("dawn", 0.0), ("dusk", 33.333)]
    ] * 3
    # the first frame of the second clip is that of the hand-over, and not in the whole
    assert view.whole.player.values == pytest.approx([40, 40, 200, 200, 200, 200])


def test_the_drift_is_told_clip_by_clip(tmp_path: Path) -> None:
    view = chain_view(tmp_path, _story(tmp_path))
    assert [(row.luma, row.saturation, row.sharpness, row.colours) for row in view.rows] == [
        (pytest.approx(40), 0, 0, 0),
        (pytest.approx(200), 0, 0, 1),
    ]
    assert [row.begins for row in view.rows] == ["none", "last frame of dawn"]
    [curve] = view.curves
    assert curve.title.startswith("colours") and len(curve.marks) == 2


def test_a_part_of_a_story_says_so_and_why(tmp_path: Path) -> None:
    story = _story(tmp_path, error=f"it hung {printable(HOSTILE)}", dropped={})
    log = tmp_path / log_path(1)
    log.write_text(log.read_text().replace('"state": "done"', '"state": "stopped"'))
    page = _page(tmp_path, Story(story.name, 3))
    assert "A part. 1 of 3 clips are there, so they are not joined." in page.all("p", _class="shout")
    assert any("stopped: it hung" in cell for cell in page.all("td"))
    assert not page.all("script", _text="alert(1)")


def test_damaged_records_and_missing_pictures_leave_the_rest(tmp_path: Path) -> None:
    story = _story(tmp_path)
    (tmp_path / log_path(0)).write_text("{")
    (tmp_path / "frames" / "first_frame_001.png").unlink()
    view = chain_view(tmp_path, story)
    assert [row.log.id for row in view.rows] == ["dusk"] and view.rows[0].colours is None and not view.curves
    assert not view.handovers[0].overlaid
    assert "is missing." in " ".join(_page(tmp_path, story).all("p", _class="missing"))


def test_other_runs_have_no_chain(tmp_path: Path) -> None:
    assert "handover" not in " ".join(Page(render_html(tmp_path, RunResult("generate", Verdict.DONE), {})).all("body"))
