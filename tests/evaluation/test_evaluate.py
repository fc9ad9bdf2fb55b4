# SPDX-License-Identifier: Apache-2.0
"""Whole evaluations in a folder: results as they come, taken up again, split and merged."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fvhydra.core.errors import UsageError
from fvhydra.core.progress import Silent
from fvhydra.core.scores import MetricSummary, ScoreRow, read_rows, side_file
from fvhydra.evaluation import evaluate as module
from fvhydra.evaluation.evaluate import evaluate, merge
from fvhydra.evaluation.metric_run import Outcome
from fvhydra.evaluation.scoring import Resources, score_all
from fvhydra.evaluation.shards import shard_of
from fvhydra.metrics.base import Metric
from fvhydra.metrics.sample import Sample
from tests.conftest import ROOT
from tests.evaluation import toys
from tests.evaluation.conftest import Make

KINDS = (toys.Toy, toys.Difference, toys.Breaks, toys.Spread)


@pytest.fixture
def samples(make_clip: Make) -> list[Sample]:
    """Seven clips, two without a reference, and two that only belong to the reference set."""
    clips = [make_clip(f"{index}.mp4", 20 * index + 20) for index in range(9)]
    found = [
        Sample(clip.name, {"video": clip} | ({"reference": clips[0]} if index > 1 else {}), tags=(f"odd={index % 2}",))
        for index, clip in enumerate(clips[:7])
    ]
    return found + [Sample(f"reference/{clip.name}", {"video": clip}, "reference") for clip in clips[7:]]


def run(
    samples: Sequence[Sample], folder: Path, metrics: Sequence[Metric] | None = None, **options: Any
) -> tuple[list[MetricSummary], list[ScoreRow]]:
    chosen = [toys.make(kind) for kind in KINDS] if metrics is None else metrics
    return evaluate(samples, chosen, folder, Silent(), resources=Resources(2, 1), **options)


def told(rows: Sequence[ScoreRow]) -> list[tuple[str, str, float | None, str]]:
    return [(row.sample, row.metric, row.value, row.status) for row in rows]


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """Which samples were decoded for which metrics."""
    calls: list[tuple[str, list[str]]] = []

    def watched(work: Any, resources: Resources, where: Any) -> Any:
        def listed() -> Any:
            for sample, contents, loaded in work:
                calls.append((sample.id, [item.metric.spec.id for item in loaded]))
                yield sample, contents, loaded

        return score_all(listed(), resources, where)

    monkeypatch.setattr(module, "score_all", watched)
    return calls


def test_the_folder_tells_all(samples: list[Sample], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    summaries, rows = run(samples, folder)
    assert list(read_rows(folder / "scores.jsonl")) == rows
    assert [(row.sample, row.metric) for row in rows] == sorted((row.sample, row.metric) for row in rows)
    assert json.loads((folder / "summary.json").read_text())[0]["metric"] == summaries[0].metric
    found = {item.metric: item for item in summaries}
    brightness = found["toy.brightness"]
    values = [row.value for row in rows if row.metric == "toy.brightness" and row.value is not None]
    assert brightness.value == pytest.approx(np.mean(values))
    assert (brightness.low, brightness.high, brightness.counts["ok"]) == (min(values), max(values), 7)
    assert brightness.interval is not None
    assert brightness.interval[0] < float(brightness.value or 0) < brightness.interval[1]
    assert brightness.by_tag["odd=1"] == {"value": pytest.approx(np.mean(values[1::2])), "ok": 3}
    assert (found["toy.difference"].counts, found["toy.difference"].reasons) == (
        {"ok": 5, "skipped": 2, "failed": 0},
        {"missing_input": 2},
    )
    assert (found["toy.breaks"].value, found["toy.breaks"].message) == (None, "RuntimeError: a bug")
    spread = found["toy.spread"]
    assert spread.value == pytest.approx(spread.outputs["generated"] - spread.outputs["reference"])
    assert (spread.counts["ok"], spread.interval) == (9, None)
    with np.load(side_file(folder, "3.mp4")) as series:
        assert sorted(series.files) == ["toy.brightness/per_frame", "toy.difference/per_frame"]
        assert series["toy.brightness/per_frame"].mean() == values[3]
    assert not (folder / "journal.jsonl").exists()


def test_the_same_again_decodes_nothing(
    samples: list[Sample], tmp_path: Path, scored: list[tuple[str, list[str]]]
) -> None:
    metrics = [toys.make(kind) for kind in KINDS if kind is not toys.Breaks]
    first, rows = run(samples, tmp_path / "a", metrics)
    scored.clear()
    for folder, options in ((tmp_path / "a", {}), (tmp_path / "b", {"earlier": [tmp_path / "a"]})):
        again, same = run(samples, folder, metrics, **options)
        assert scored == []
        assert (again, same) == (first, rows)
        with np.load(side_file(folder, "3.mp4")) as series:
            assert sorted(series.files) == ["toy.brightness/per_frame", "toy.difference/per_frame"]


def test_only_what_changed_is_scored_again(
    samples: list[Sample], tmp_path: Path, scored: list[tuple[str, list[str]]], make_clip: Make
) -> None:
    folder = tmp_path / "run"
    metrics = [toys.make(toys.Toy), toys.make(toys.Difference)]
    run(samples, folder, metrics)
    scored.clear()
    make_clip("3.mp4", 200)  # another content under the same name
    run(samples, folder, metrics)
    assert scored == [("3.mp4", ["toy.brightness", "toy.difference"])]
    scored.clear()
    run(samples, folder, [toys.make(toys.Toy, scale=2.0), toys.make(toys.Difference)])
    assert {tuple(names) for _, names in scored} == {("toy.brightness",)}
    with np.load(side_file(folder, "3.mp4")) as series:  # what was not scored again is still there
        assert sorted(series.files) == ["toy.brightness/per_frame", "toy.difference/per_frame"]
    scored.clear()

    class Newer(toys.Toy):
        spec = toys.described("brightness", "video", version=2)

    run(samples[:2], folder, [toys.make(Newer)])
    assert [names for _, names in scored] == [["toy.brightness"], ["toy.brightness"]]


def test_rows_that_are_kept_say_what_is_known_of_the_sample_now(
    samples: list[Sample], tmp_path: Path, scored: list[tuple[str, list[str]]]
) -> None:
    metrics = [toys.make(toys.Toy)]
    run(samples[:1], tmp_path / "run", metrics)
    scored.clear()
    renamed = Sample(samples[0].id, {**samples[0].keys, "text_prompt": "A cat"}, tags=("new",))
    [summary], [row] = run([renamed], tmp_path / "run", metrics)
    assert (scored, row.prompt, row.tags, list(summary.by_tag)) == ([], "A cat", ["new"], ["new"])


def test_failures_are_tried_again_and_skips_that_lie_in_the_sample_are_not(
    samples: list[Sample], tmp_path: Path, scored: list[tuple[str, list[str]]]
) -> None:
    metrics = [toys.make(kind) for kind in (toys.Breaks, toys.Weightless, toys.Long, toys.Toy)]
    run(samples[:1], tmp_path, metrics)
    scored.clear()
    run(samples[:1], tmp_path, metrics)
    assert scored == [("0.mp4", ["toy.breaks", "toy.weightless"])]


KILLED = """
import sys
from pathlib import Path
from fvhydra.core.progress import Silent
from fvhydra.evaluation.evaluate import evaluate
from fvhydra.evaluation.scoring import Resources
from fvhydra.metrics.sample import Sample
from tests.evaluation import toys

class Slow(toys.Toy):
    def of(self, tracks):
        import time
        time.sleep(0.01)
        return super().of(tracks)

clips = sorted(Path(sys.argv[1]).glob("*.mp4"))
samples = [Sample(clip.name, {"video": clip}) for clip in clips]
evaluate(samples, [toys.make(Slow)], Path(sys.argv[2]), Silent(), resources=Resources(1, 1))
"""


def test_a_kill_loses_the_clip_on_its_way_and_no_other(
    samples: list[Sample], tmp_path: Path, scored: list[tuple[str, list[str]]]
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    journal = folder / "journal.jsonl"
    process = subprocess.Popen([sys.executable, "-c", KILLED, tmp_path, folder], cwd=ROOT)
    deadline = time.monotonic() + 60
    while not (journal.is_file() and journal.read_bytes().count(b"\n") >= 3):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(30)
    kept = len(list(read_rows(journal)))
    with open(journal, "ab") as cut:
        cut.write(b'{"sample": "half a l')
    clips = sorted(tmp_path.glob("*.mp4"))
    whole = [Sample(clip.name, {"video": clip}) for clip in clips]
    _, rows = run(whole, folder, [toys.make(toys.Toy)])
    assert 3 <= kept < len(clips)
    assert len(scored) == len(clips) - kept
    assert told(rows) == told(run(whole, tmp_path / "fresh", [toys.make(toys.Toy)])[1])


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_merged_shards_are_what_one_process_leaves(samples: list[Sample], tmp_path: Path, order: Sequence[int]) -> None:
    metrics = [toys.make(kind) for kind in KINDS]
    whole, rows = run(samples, tmp_path / "whole", metrics)
    shards = [tmp_path / f"shard{number}" for number in range(3)]
    for number, folder in enumerate(shards):
        run([sample for sample in samples if shard_of(sample, 3) == number], folder, metrics)
    merged, same = merge([shards[number] for number in order], metrics, tmp_path / "merged")
    assert told(same) == told(rows)
    for one, other in zip(whole, merged, strict=True):
        assert (one.interval, one.counts, one.by_tag) == (other.interval, other.counts, other.by_tag)
        assert other.value == (one.value if one.kind == "sample" else pytest.approx(one.value, rel=1e-9))
    with np.load(side_file(tmp_path / "merged", "3.mp4")) as series:
        assert "toy.brightness/per_frame" in series.files
    again, _ = run(samples, tmp_path / "again", metrics, earlier=[tmp_path / "merged"])
    assert [one.value for one in again] == [one.value for one in whole]  # also those of the whole set


def test_shards_of_two_evaluations_are_not_merged(samples: list[Sample], tmp_path: Path) -> None:
    metrics = [toys.make(toys.Toy)]
    for name in ("a", "b"):
        run(samples[:2], tmp_path / name, metrics)
    with pytest.raises(UsageError, match=r"0\.mp4 is in both"):
        merge([tmp_path / "a", tmp_path / "b"], metrics, tmp_path / "merged")


def test_shards_go_by_content_and_leave_nothing_out(samples: list[Sample], make_clip: Make) -> None:
    homes = [shard_of(sample, 4) for sample in samples]
    assert all(0 <= home < 4 for home in homes) and len(set(homes)) > 1
    copy = make_clip("renamed.mp4", 20)
    assert shard_of(Sample("z", {"video": copy}), 4) == homes[0]
    assert shard_of(Sample("z", {"video": copy.with_name("absent.mp4")}), 4) in range(4)


def test_the_sound_of_a_clip_is_its_audio(tmp_path: Path, make_clip: Make) -> None:
    from fvhydra.media.video import encode

    silent, loud = make_clip("silent.mp4"), tmp_path / "loud.mp4"
    tone = np.sin(np.arange(16_000) / 20).astype(np.float32)[np.newaxis]
    encode(loud, np.zeros((9, 32, 48, 3), np.uint8), 24, audio=tone, audio_rate=16_000)
    samples = [Sample("loud", {"video": loud}), Sample("silent", {"video": silent})]
    _, rows = run(samples, tmp_path / "run", [toys.make(toys.Loudness)])
    assert [(row.status, row.value) for row in rows] == [("ok", loud.stat().st_size), ("skipped", None)]
    assert rows[1].message == "the sample has no audio"


def test_half_a_line_does_not_spoil_the_next(tmp_path: Path) -> None:
    from fvhydra.evaluation.journal import Journal

    rows = [ScoreRow(name, "toy.x", 1, "", "", "ok") for name in ("a", "b", "c")]
    Journal(tmp_path).add([Outcome(rows[0])])
    with open(tmp_path / "journal.jsonl", "a") as journal:
        journal.write('{"sample": "b", "met')
    for row in rows[1:]:  # a second kill after the first
        Journal(tmp_path).add([Outcome(row)])
    assert list(read_rows(tmp_path / "journal.jsonl")) == rows


def test_outcomes_without_arrays_leave_no_files(tmp_path: Path) -> None:
    from fvhydra.evaluation.journal import Journal

    journal = Journal(tmp_path)
    journal.add([])
    journal.add([Outcome(ScoreRow("a", "toy.x", 1, "", "", "ok"))])
    assert [path.name for path in tmp_path.iterdir()] == ["journal.jsonl"]
