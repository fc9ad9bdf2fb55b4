# SPDX-License-Identifier: Apache-2.0
"""One sample under several metrics: what one of them does stays with it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fvhydra.config.metrics import Choice
from fvhydra.core.errors import InfrastructureError
from fvhydra.core.scores import ScoreRow
from fvhydra.evaluation import clip_reader
from fvhydra.evaluation.metric_run import Outcome
from fvhydra.evaluation.metric_setup import LoadedMetric, build_metrics, load_metric
from fvhydra.evaluation.processes import processes, use_processes
from fvhydra.evaluation.scoring import ComputePool, Resources, score, score_all, threads
from fvhydra.media import video
from fvhydra.metrics.assets import HubAssets
from fvhydra.metrics.base import Chunk, Metric, Reading, SampleVideos, Score
from fvhydra.metrics.sample import Sample
from tests.evaluation import toys
from tests.evaluation.conftest import Make

MB = 1e-3  # a frame or two at a time


@pytest.fixture
def pool() -> Iterator[ComputePool]:
    with ComputePool(2) as pool:
        yield pool


def outcomes(
    pool: ComputePool, keys: dict[str, Any], *kinds: type[Metric] | Metric, memory_mb: float = MB
) -> dict[str, Outcome]:
    metrics = [kind if isinstance(kind, Metric) else toys.make(kind) for kind in kinds]
    contents = {metric.spec.id: "c" for metric in metrics}
    found = score(Sample("a", keys), contents, [load_metric(metric) for metric in metrics], pool, memory_mb)
    return {outcome.row.metric.removeprefix("toy."): outcome for outcome in found}


def rows(pool: ComputePool, keys: dict[str, Any], *kinds: type[Metric] | Metric) -> dict[str, ScoreRow]:
    return {name: outcome.row for name, outcome in outcomes(pool, keys, *kinds).items()}


def said(row: ScoreRow) -> tuple[str, str, str]:
    return row.status, row.code, row.message


def test_values_and_series_are_those_of_the_frames(pool: ComputePool, make_clip: Make) -> None:
    clip = make_clip("a.mp4", 60)
    expected = [frame.mean() for frame in video.decode(clip)]
    found = outcomes(pool, {"video": clip, "text_prompt": "A cat"}, toys.make(toys.Toy, scale=2.0))["brightness"]
    assert found.row.value == 2 * np.mean(expected)
    assert (found.row.status, found.row.frames, found.row.series) == ("ok", 9, ["per_frame"])
    assert (found.row.prompt, found.row.clips, found.row.outputs) == ("A cat", {"video": str(clip)}, {"frames": 9})
    np.testing.assert_array_equal(found.series["per_frame"], expected)


def test_one_metric_that_fails_takes_no_other_down(pool: ComputePool, make_clip: Make) -> None:
    kinds = (
        toys.Toy,
        toys.Breaks,
        toys.Nonfinite,
        toys.Weightless,
        toys.Unpreparable,
        toys.Difference,
        toys.Long,
        toys.Silent,
        toys.Valueless,
    )
    found = rows(pool, {"video": make_clip("a.mp4")}, *kinds)
    assert found.pop("brightness").status == "ok"
    assert {name: said(row) for name, row in found.items()} == {
        "breaks": ("failed", "error", "RuntimeError: a bug"),
        "nonfinite": ("skipped", "nonfinite", "the value is nan"),
        "weightless": ("skipped", "no_weights", "weights unavailable: toys/none, 1 MB"),
        "unpreparable": ("failed", "error", "OSError: the disk is on fire"),
        "difference": ("skipped", "missing_input", "the sample has no reference"),
        "silent": ("failed", "error", "TypeError: the metric returned no score"),
        "valueless": ("failed", "error", "ValueError: the metric gave neither a value nor a reason why there is none"),
        "long": ("skipped", "too_short", "video has 9 frame(s), 100 are needed"),
    }
    assert all(row.value is None for row in found.values())


def test_each_clip_is_decoded_once_for_all_metrics(
    pool: ComputePool, make_clip: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []

    def counted(path: Path, upright: bool) -> Any:
        decoded.append(path.name)
        return video.decode(path, upright)

    monkeypatch.setattr(clip_reader, "decode", counted)
    keys = {"video": make_clip("a.mp4"), "reference": make_clip("b.mp4", 90)}
    assert all(row.status == "ok" for row in rows(pool, keys, toys.Toy, toys.Difference, toys.Free).values())
    assert sorted(decoded) == ["a.mp4", "b.mp4"]
    decoded.clear()
    rows(pool, keys, toys.Toy)
    assert decoded == ["a.mp4"]  # nobody asked for the other


@pytest.mark.parametrize("frames", [(9, 7), (7, 9), (9, 8), (1, 9)])
def test_clips_of_other_lengths_are_compared_only_by_who_says_so(
    pool: ComputePool, make_clip: Make, frames: tuple[int, int]
) -> None:
    keys = {"video": make_clip("a.mp4", frames=frames[0]), "reference": make_clip("b.mp4", frames=frames[1])}
    strict = rows(pool, keys, toys.Difference, toys.Free, toys.Toy)
    assert said(strict["difference"])[:2] == ("skipped", "shape")
    assert f"{'video' if frames[0] < frames[1] else 'reference'} {min(frames)}" in strict["difference"].message
    assert strict["free"].frames == max(frames)
    assert strict["brightness"].frames == frames[0]
    cut = rows(pool, keys, toys.make(toys.Difference, parity="peer"))["difference"]
    assert (cut.status, cut.frames) == ("ok", min(frames))


def test_clips_of_other_sizes_and_rates_are_not_compared(pool: ComputePool, make_clip: Make) -> None:
    clip = make_clip("a.mp4")
    large = rows(pool, {"video": clip, "reference": make_clip("b.mp4", size=(48, 48))}, toys.Difference, toys.Toy)
    assert said(large["difference"]) == ("skipped", "shape", "the sizes differ: video 32x48, reference 48x48")
    assert large["brightness"].status == "ok"
    fast = rows(pool, {"video": clip, "reference": make_clip("c.mp4", fps=30)}, toys.Difference)["difference"]
    assert said(fast) == ("skipped", "shape", "the frame rates differ: video 24 fps, reference 30 fps")
    film = rows(pool, {"video": clip, "reference": make_clip("d.mp4", fps=24000 / 1001)}, toys.Difference)
    assert film["difference"].status == "ok"
    peer = rows(pool, {"video": clip, "reference": clip.with_name("c.mp4")}, toys.make(toys.Difference, parity="peer"))
    assert peer["difference"].status == "ok"  # FastVideo does not look at rates


def test_a_damaged_clip_costs_only_the_metrics_that_need_it(pool: ComputePool, make_clip: Make) -> None:
    whole, cut = make_clip("a.mp4", frames=48), make_clip("b.mp4", frames=48)
    cut.write_bytes(cut.read_bytes()[:-200])
    found = rows(pool, {"video": whole, "reference": cut}, toys.Toy, toys.Difference)
    assert found["brightness"].frames == 48
    assert said(found["difference"])[:2] == ("skipped", "unreadable")
    assert str(cut) in found["difference"].message
    absent = rows(pool, {"video": cut.with_name("absent.mp4")}, toys.Toy)["brightness"]
    assert absent.code == "unreadable"


class Glance(toys.Toy):
    """Of the first frames only."""

    spec = toys.described("glance", "video")

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        return Glancing(self, clip)


class Glancing(toys.Brightness):
    def update(self, chunk: Chunk) -> bool:  # type: ignore[override]  # the others never have enough
        super().update(chunk)
        return True


def test_a_metric_that_has_seen_enough_is_shown_no_more(pool: ComputePool, make_clip: Make) -> None:
    clip = make_clip("a.mp4", frames=48)
    clip.write_bytes(clip.read_bytes()[:-200])
    alone, beside = (rows(pool, {"video": clip}, *kinds) for kinds in ((Glance,), (Glance, toys.Toy)))
    assert said(beside["brightness"])[:2] == ("skipped", "unreadable")
    for found in (alone, beside):  # the same whoever else looks on
        assert found["glance"].status == "ok"
        assert 0 < (found["glance"].frames or 0) < 5


def test_metrics_of_sound_need_no_frames(pool: ComputePool, tmp_path: Path) -> None:
    sound = tmp_path / "a.wav"
    sound.write_bytes(b"12345")
    assert rows(pool, {"audio": sound}, toys.Loudness, toys.Toy)["loudness"].value == 5
    lost = rows(pool, {"audio": tmp_path / "absent.wav"}, toys.Loudness)["loudness"]
    assert said(lost)[:2] == ("skipped", "unreadable")


class Sharing(toys.Toy):
    """Counts how often what it shares is computed."""

    spec = toys.described("sharing", "video")
    computed: list[tuple[int, int]] = []  # noqa: RUF012  of the class, so that two instances count together

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        return SharedReading(clip)


class SharedReading:
    def __init__(self, clip: SampleVideos) -> None:
        self.clip = clip

    def update(self, chunk: Chunk) -> None:
        seen = self.clip.shared("seen", list)

        def compute() -> int:
            seen.append(chunk.start)
            Sharing.computed.append((chunk.start, len(chunk.tracks["video"])))
            return len(seen)

        self.seen = chunk.shared("number", compute)

    def result(self) -> Score:
        return Score(float(self.seen))


class Other(Sharing):
    spec = toys.described("other", "video", "reference")


def test_what_metrics_share_is_computed_once_a_chunk(pool: ComputePool, make_clip: Make) -> None:
    Sharing.computed.clear()
    keys = {"video": make_clip("a.mp4"), "reference": make_clip("b.mp4", frames=8)}
    five_frames = 5 * 2 * 3 * 32 * 48 * 3 * 1.01 / 1e6
    found = outcomes(pool, keys, Sharing, toys.make(Other, parity="peer"), memory_mb=five_frames)
    assert [item.row.status for item in found.values()] == ["ok", "ok"]
    # the first chunk is shared; of the second one sees all frames, and the other those that the reference has too
    assert sorted(Sharing.computed) == [(0, 5), (5, 3), (5, 4)]


def test_results_do_not_depend_on_workers_or_order(make_clip: Make) -> None:
    clips = [make_clip(f"{index}.mp4", 20 * index + 20) for index in range(5)]
    loaded = [load_metric(toys.make(kind)) for kind in (toys.Toy, toys.Difference)]

    def run(workers: int, backwards: bool, where: Any = threads) -> dict[tuple[str, str], float | None]:
        work = [
            (Sample(clip.name, {"video": clip, "reference": clips[0]}), dict.fromkeys(ids(loaded), ""), loaded)
            for clip in clips[:: -1 if backwards else 1]
        ]
        found = [outcome.row for group in score_all(work, Resources(workers, MB), where) for outcome in group]
        return {(row.sample, row.metric): row.value for row in found}

    assert run(1, False) == run(2, False) == run(4, True) == run(2, False, processes)


def ids(loaded: list[LoadedMetric]) -> list[str]:
    return [item.metric.spec.id for item in loaded]


def test_leaving_early_stops_the_clips_on_their_way(make_clip: Make) -> None:
    loaded = [load_metric(toys.make(toys.Toy))]
    taken = []

    def work() -> Iterator[tuple[Sample, dict[str, str], list[LoadedMetric]]]:
        for index in range(100):
            taken.append(index)
            yield Sample(str(index), {"video": clip}), dict.fromkeys(ids(loaded), ""), loaded

    clip = make_clip("a.mp4")
    found = score_all(work(), Resources(2, MB))
    next(found)
    found.close()  # type: ignore[attr-defined]
    assert len(taken) <= 4  # samples are taken as threads become free
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("compute", "sample"))]


class Slow(toys.Toy):
    seen = 0

    def of(self, tracks: Mapping[str, NDArray[np.uint8]]) -> list[float]:
        Slow.seen += 1
        time.sleep(0.02)
        return super().of(tracks)


def test_a_clip_on_its_way_is_left_between_two_chunks(make_clip: Make) -> None:
    clip, loaded = make_clip("a.mp4", frames=100), [load_metric(toys.make(Slow))]
    missing = Sample("missing", {}), dict.fromkeys(ids(loaded), ""), loaded
    slow = Sample("slow", {"video": clip}), dict.fromkeys(ids(loaded), ""), loaded
    found = score_all([slow, missing], Resources(2, MB))
    assert next(found)[0].row.sample == "missing"
    found.close()  # type: ignore[attr-defined]
    assert Slow.seen < 50


class Dies(toys.Toy):
    def of(self, tracks: Mapping[str, NDArray[np.uint8]]) -> list[float]:
        os.kill(os.getpid(), signal.SIGKILL)
        return []


def test_a_process_that_dies_ends_the_pass_with_a_sentence(make_clip: Make) -> None:
    clip, loaded = make_clip("a.mp4"), [load_metric(toys.make(Dies))]
    work = [(Sample(str(index), {"video": clip}), dict.fromkeys(ids(loaded), ""), loaded) for index in range(4)]
    with pytest.raises(InfrastructureError, match="has died"):
        list(score_all(work, Resources(2, MB), processes))


def test_processes_are_for_many_clips_without_networks() -> None:
    light = [load_metric(toys.make(toys.Toy))]
    heavy = [*light, LoadedMetric(build_metrics([Choice("common.lpips", {})], HubAssets("cpu", Path()))[0], "")]
    assert use_processes(light, 64, Resources(2, MB)) and use_processes(light, 64, Resources(192, MB))
    assert not use_processes(light, 63, Resources(2, MB))
    assert not use_processes(light, 64, Resources(1, MB))
    assert not use_processes(heavy, 64, Resources(2, MB))
