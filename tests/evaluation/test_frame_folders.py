# SPDX-License-Identifier: Apache-2.0
"""Clips that are folders of numbered frames, or GIFs: found, paired, scored, shown; and what is no clip at all."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fvhydra.core.comparison import MetricComparison, Pair, write_pairs
from fvhydra.core.errors import UsageError
from fvhydra.core.progress import Silent
from fvhydra.core.result import RunResult
from fvhydra.core.scores import ScoreRow
from fvhydra.core.verdict import Verdict
from fvhydra.evaluation.evaluate import evaluate
from fvhydra.evaluation.samples import Samples, pairs, read_samples
from fvhydra.evaluation.scoring import Resources
from fvhydra.evaluation.shards import shard_of
from fvhydra.media.video import decode, encode, probe
from fvhydra.report.preview import preview
from fvhydra.report.write import write_report
from tests.evaluation.toys import Difference, NoAssets, Params, Toy


def frames_of(folder: Path, frames: np.ndarray, name: str = "{:04}.png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / name.format(index))
    return folder


def ramp(level: int = 100, frames: int = 6, size: tuple[int, int] = (32, 48)) -> np.ndarray:
    return np.broadcast_to(level + np.arange(frames)[:, None, None, None], (frames, *size, 3)).astype(np.uint8)


def read(**words: object) -> Samples:
    return read_samples([], **{key: str(value) if isinstance(value, Path) else value for key, value in words.items()})  # type: ignore[arg-type]


def scored(found: Samples, folder: Path) -> tuple[dict[tuple[str, str], ScoreRow], RunResult]:
    metrics = [Toy(Params(), NoAssets()), Difference(Params(), NoAssets())]
    summaries, rows = evaluate(found.samples, metrics, folder, Silent(), resources=Resources(1, 16))
    result = RunResult(op="eval", verdict=Verdict.DONE, metrics=summaries)
    return {(row.sample, row.metric): row for row in rows}, result


def test_a_folder_of_frames_is_one_clip(tmp_path: Path) -> None:
    folder = frames_of(tmp_path / "cat", ramp())
    found = read(videos=folder, fps=8.0)
    assert [(sample.id, dict(sample.keys)) for sample in found.samples] == [("cat", {"fps": 8.0, "video": folder})]
    rows, _ = scored(found, tmp_path / "run")
    row = rows["cat", "toy.brightness"]
    assert (row.status, row.value, row.frames, row.fps) == ("ok", pytest.approx(102.5), 6, 8.0)


def test_a_folder_of_such_folders_is_searched_and_paired(tmp_path: Path) -> None:
    frames_of(tmp_path / "gen" / "a" / "cat.v1", ramp())
    frames_of(tmp_path / "gen" / "dog", ramp(50), "frame_{}.png")
    encode(tmp_path / "gen" / "cow.mp4", ramp(70), 24)
    frames_of(tmp_path / "ref" / "a" / "cat.v1", ramp(102))
    encode(tmp_path / "ref" / "dog.mp4", ramp(50), 24)
    frames_of(tmp_path / "ref" / "cow", ramp(75))
    found = read(videos=tmp_path / "gen", references=tmp_path / "ref", fps=24.0)
    assert [sample.id for sample in found.samples] == ["a/cat.v1", "cow.mp4", "dog"]
    assert (found.alone, found.unused) == ([], [])
    rows, _ = scored(found, tmp_path / "run")
    differences = {sample: rows[sample, "toy.difference"].value for sample in ("a/cat.v1", "cow.mp4", "dog")}
    assert differences == {"a/cat.v1": 2, "cow.mp4": pytest.approx(5, abs=1.5), "dog": pytest.approx(0, abs=1.5)}
    assert [row.fps for row in rows.values()] == [24] * 6


def test_a_file_and_a_folder_are_a_pair_whatever_their_names(tmp_path: Path) -> None:
    encode(tmp_path / "made.mp4", ramp(), 24)
    frames_of(tmp_path / "approved", ramp())
    [sample] = read(videos=tmp_path / "made.mp4", references=tmp_path / "approved", fps=24.0).samples
    assert sample.keys["reference"] == tmp_path / "approved"


def test_a_rate_that_differs_from_the_references_is_said(tmp_path: Path) -> None:
    encode(tmp_path / "made.mp4", ramp(), 24)
    frames_of(tmp_path / "approved", ramp())
    found = read(videos=tmp_path / "made.mp4", references=tmp_path / "approved", fps=12.0)
    row = scored(found, tmp_path / "run")[0]["made.mp4", "toy.difference"]
    assert (row.status, row.code) == ("skipped", "shape")
    assert row.message == "the frame rates differ: video 24 fps, reference 12 fps"


def test_a_manifest_says_the_rate_of_each(tmp_path: Path) -> None:
    frames_of(tmp_path / "cat", ramp())
    lines = [{"id": "own", "video": "cat", "fps": 8}, {"id": "default", "video": "cat"}]
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = read(manifest=tmp_path / "m.jsonl", fps=24.0)
    assert {sample.id: sample.rate for sample in found.samples} == {"own": 8, "default": 24}
    contents = {sample.content(["video"]) for sample in found.samples}
    assert len(contents) == 2  # another rate is another clip
    rows, _ = scored(read(manifest=tmp_path / "m.jsonl"), tmp_path / "run")
    assert rows["own", "toy.brightness"].status == "ok"
    unknown = rows["default", "toy.brightness"]
    assert (unknown.status, unknown.code) == ("skipped", "unreadable")
    assert "whose rate is not known: give op.fps=24, or fps in the manifest" in unknown.message


@pytest.mark.parametrize("fps", ["24", True, -1, 0, [24], "nan"])
def test_a_rate_that_is_none_costs_the_row_only(tmp_path: Path, fps: object) -> None:
    frames_of(tmp_path / "cat", ramp())
    (tmp_path / "m.jsonl").write_text(json.dumps({"video": "cat", "fps": fps}))
    row = scored(read(manifest=tmp_path / "m.jsonl"), tmp_path / "run")[0]["cat", "toy.brightness"]
    assert (row.status, row.code) == ("skipped", "unreadable")


def test_frames_without_a_rate_are_a_question_before_anything_is_scored(tmp_path: Path) -> None:
    frames_of(tmp_path / "gen" / "cat", ramp())
    for videos in (tmp_path / "gen", tmp_path / "gen" / "cat", f"{tmp_path}/gen/*"):
        with pytest.raises(UsageError, match=r"has folders of frames \(cat\), and nobody says their rate") as caught:
            read(videos=videos)
        assert caught.value.hint == "Give it as op.fps=24."
    # beside clips they are pictures, unless a rate is given
    encode(tmp_path / "gen" / "dog.mp4", ramp(), 24)
    assert [sample.id for sample in read(videos=tmp_path / "gen").samples] == ["dog.mp4"]
    assert [sample.id for sample in read(videos=tmp_path / "gen", fps=8.0).samples] == ["cat", "dog.mp4"]


def test_where_nothing_can_be_read_it_says_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no clip")
    (tmp_path / "cover.png").write_bytes(b"its name has no number")
    says = r"has no clip \(\.mp4, \.mov, .*\.gif, \.wav.*\) and no folder of numbered pictures \(\.png, \.jpg"
    with pytest.raises(UsageError, match=says):
        read(videos=tmp_path)


def test_a_gif_is_found_and_scored(tmp_path: Path) -> None:
    first, *others = (Image.fromarray(frame) for frame in ramp())
    first.save(tmp_path / "cat.gif", save_all=True, append_images=others, duration=40)
    row = scored(read(videos=tmp_path), tmp_path / "run")[0]["cat.gif", "toy.brightness"]
    assert (row.status, row.value, row.frames) == ("ok", pytest.approx(102.5), 6)


def test_the_content_of_a_folder_is_that_of_its_frames(tmp_path: Path) -> None:
    frames_of(tmp_path / "a", ramp())
    frames_of(tmp_path / "b", ramp(), "frame-{}.png")
    frames_of(tmp_path / "c", ramp()[::-1])
    contents = {}
    for name in "abc":
        [sample] = read(videos=tmp_path / name, fps=8.0).samples
        contents[name] = sample.content(["video"])
        assert 0 <= shard_of(sample, 4) < 4
    assert contents["a"] == contents["b"] != contents["c"]


def test_names_of_folders_have_no_extension() -> None:
    assert pairs(["cat.v1", "dog"], ["cat.v2", "dog.mp4"]) == {"dog": "dog.mp4"}


def test_equal_clips_play_equal(tmp_path: Path) -> None:
    """The page shows the difference of two, eight times as large."""
    noisy = np.random.default_rng(0).integers(0, 256, (6, 64, 96, 3), dtype=np.uint8)
    shown = [preview(tmp_path / name, frames_of(tmp_path / name, noisy), 8.0).read_bytes() for name in ("a", "b")]
    assert shown[0] == shown[1]


@pytest.mark.parametrize("size", [(32, 48), (33, 47)])
def test_the_page_plays_folders_of_frames_and_gifs(tmp_path: Path, size: tuple[int, int]) -> None:
    frames_of(tmp_path / "gen" / "cat", ramp(size=size))
    first, *others = (Image.fromarray(frame) for frame in ramp(size=size))
    first.save(tmp_path / "gen" / "dog.gif", save_all=True, append_images=others, duration=40)
    _, result = scored(read(videos=tmp_path / "gen", fps=8.0), tmp_path / "run")
    page = write_report(tmp_path / "run", result, {}).read_text()
    clips = sorted((tmp_path / "run" / "report" / "clips").iterdir())
    assert len(clips) == 2
    assert all(f'src="../report/clips/{clip.name}"' in page for clip in clips)
    assert {probe(clip).fps for clip in clips} == {8, 25}
    even = tuple(side + side % 2 for side in size)
    assert {(frame.shape[0], frame.shape[1]) for clip in clips for frame in decode(clip)} == {even}
    assert all(probe(clip).pix_fmt == "yuv420p" for clip in clips)
    assert page.count('class="player"') == 2


def test_a_comparison_shows_what_the_pages_of_both_show_and_makes_nothing_itself(tmp_path: Path) -> None:
    """Who wrote the two evaluations may be a stranger, and a folder that is named there may be private."""
    clips = {}
    for side, level in (("before", 100), ("after", 102)):
        frames_of(tmp_path / side / "cat", ramp(level))
        _, result = scored(read(videos=tmp_path / side, fps=8.0), tmp_path / f"{side}_run")
        if side == "before":
            write_report(tmp_path / "before_run", result, {})
        clips[side] = {"video": str(tmp_path / side / "cat")}
    pair = Pair("toy.brightness", "cat", 102.5, 104.5, clips, fps=8.0)
    write_pairs(tmp_path / "run" / "pairs.jsonl", [pair])
    found = MetricComparison("toy.brightness", "", "higher", "1", 1, difference=2.0)
    runs = [str(tmp_path / f"{side}_run") for side in ("before", "after")]
    result = RunResult(op="eval_compare", verdict=Verdict.DONE, comparisons=[found], details={"runs": runs})
    page = write_report(tmp_path / "run", result, {}).read_text()
    [made] = (tmp_path / "before_run" / "report" / "clips").iterdir()
    assert made.as_uri() in page
    assert (tmp_path / "after" / "cat").as_uri() in page
    assert "<b>missing</b>" not in page
    assert not (tmp_path / "run" / "report" / "clips").exists()
    assert list((tmp_path / "after_run").glob("report/*")) == []


def test_what_would_be_waited_for_is_one_row_without_a_value(tmp_path: Path) -> None:
    (tmp_path / "gen").mkdir()
    os.mkfifo(tmp_path / "gen" / "fifo.mp4")
    (tmp_path / "gen" / "zero.mp4").symlink_to("/dev/zero")
    encode(tmp_path / "gen" / "clip.mp4", ramp(), 24)
    rows, _ = scored(read(videos=tmp_path / "gen"), tmp_path / "run")
    found = {sample: rows[sample, "toy.brightness"] for sample in ("clip.mp4", "fifo.mp4", "zero.mp4")}
    assert [row.status for row in found.values()] == ["ok", "skipped", "skipped"]
    assert "is a FIFO" in found["fifo.mp4"].message
    assert "is a device" in found["zero.mp4"].message
    [alone] = read(videos=tmp_path / "gen" / "fifo.mp4").samples
    assert alone.id == "fifo.mp4"
