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
from fvhydra.evaluation import footage as footage_module
from fvhydra.evaluation.lane import Outcome
from fvhydra.evaluation.processes import pays, processes
from fvhydra.evaluation.scoring import Crew, Effort, score, score_all, threads
from fvhydra.evaluation.selection import Prepared, prepare, select
from fvhydra.media import video
from fvhydra.metrics.assets import HubAssets
from fvhydra.metrics.base import Chunk, Clip, Metric, Reading, Score
from fvhydra.metrics.sample import Sample
from tests.evaluation import toys
from tests.evaluation.conftest import Make

MB = 1e-3  # a frame or two at a time


@pytest.fixture
def crew() -> Iterator[Crew]:
    with Crew(2) as crew:
        yield crew


def outcomes(
    crew: Crew, keys: dict[str, Any], *kinds: type[Metric] | Metric, memory_mb: float = MB
) -> dict[str, Outcome]:
    metrics = [kind if isinstance(kind, Metric) else toys.make(kind) for kind in kinds]
    contents = {metric.spec.id: "c" for metric in metrics}
    found = score(Sample("a", keys), contents, [prepare(metric) for metric in metrics], crew, memory_mb)
    return {outcome.row.metric.removeprefix("toy."): outcome for outcome in found}


def rows(crew: Crew, keys: dict[str, Any], *kinds: type[Metric] | Metric) -> dict[str, ScoreRow]:
    return {name: outcome.row for name, outcome in outcomes(crew, keys, *kinds).items()}


def said(row: ScoreRow) -> tuple[str, str, str]:
    return row.status, row.code, row.message


def test_values_and_series_are_those_of_the_frames(crew: Crew, make_clip: Make) -> None:
    clip = make_clip("a.mp4", 60)
    expected = [frame.mean() for frame in video.decode(clip)]
    found = outcomes(crew, {"video": clip, "text_prompt": "A cat"}, toys.make(toys.Toy, scale=2.0))["brightness"]
    assert found.row.value == 2 * np.mean(expected)
    assert (found.row.status, found.row.frames, found.row.series) == ("ok", 9, ["per_frame"])
    assert (found.row.prompt, found.row.clips, found.row.outputs) == ("A cat", {"video": str(clip)}, {"frames": 9})
    np.testing.assert_array_equal(found.series["per_frame"], expected)


def test_one_metric_that_fails_takes_no_other_down(crew: Crew, make_clip: Make) -> None:
    kinds = (
        toys.Toy,
        toys.Breaks,
        toys.Nonfinite,
        toys.Weightless,
        toys.Unpreparable,
        toys.Difference,
        toys.Long,
        toys.Silent,
    )
    found = rows(crew, {"video": make_clip("a.mp4")}, *kinds)
    assert found.pop("brightness").status == "ok"
    assert {name: said(row) for name, row in found.items()} == {
        "breaks": ("failed", "error", "RuntimeError: a bug"),
        "nonfinite": ("skipped", "nonfinite", "the value is nan"),
        "weightless": ("skipped", "no_weights", "weights unavailable: toys/none, 1 MB"),
        "unpreparable": ("failed", "error", "OSError: the disk is on fire"),
        "difference": ("skipped", "missing_input", "the sample has no reference"),
        "silent": ("failed", "error", "TypeError: the metric returned no score"),
        "long": ("skipped", "too_short", "video has 9 frame(s), 100 are needed"),
    }
    assert all(row.value is None for row in found.values())


def test_each_clip_is_decoded_once_for_all_metrics(
    crew: Crew, make_clip: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []

    def counted(path: Path, upright: bool) -> Any:
        decoded.append(path.name)
        return video.decode(path, upright)

    monkeypatch.setattr(footage_module, "decode", counted)
    keys = {"video": make_clip("a.mp4"), "reference": make_clip("b.mp4", 90)}
    assert all(row.status == "ok" for row in rows(crew, keys, toys.Toy, toys.Difference, toys.Free).values())
    assert sorted(decoded) == ["a.mp4", "b.mp4"]
    decoded.clear()
    rows(crew, keys, toys.Toy)
    assert decoded == ["a.mp4"]  # nobody asked for the other


@pytest.mark.parametrize("frames", [(9, 7), (7, 9), (9, 8), (1, 9)])
def test_clips_of_other_lengths_are_compared_only_by_who_says_so(
    crew: Crew, make_clip: Make, frames: tuple[int, int]
) -> None:
    keys = {"video": make_clip("a.mp4", frames=frames[0]), "reference": make_clip("b.mp4", frames=frames[1])}
    strict = rows(crew, keys, toys.Difference, toys.Free, toys.Toy)
    assert said(strict["difference"])[:2] == ("skipped", "shape")
    assert f"{'video' if frames[0] < frames[1] else 'reference'} {min(frames)}" in strict["difference"].message
    assert strict["free"].frames == max(frames)
    assert strict["brightness"].frames == frames[0]
    cut = rows(crew, keys, toys.make(toys.Difference, parity="peer"))["difference"]
    assert (cut.status, cut.frames) == ("ok", min(frames))


def test_clips_of_other_sizes_and_rates_are_not_compared(crew: Crew, make_clip: Make) -> None:
    clip = make_clip("a.mp4")
    large = rows(crew, {"video": clip, "reference": make_clip("b.mp4", size=(48, 48))}, toys.Difference, toys.Toy)
    assert said(large["difference"]) == ("skipped", "shape", "the sizes differ: video 32x48, reference 48x48")
    assert large["brightness"].status == "ok"
    fast = rows(crew, {"video": clip, "reference": make_clip("c.mp4", fps=30)}, toys.Difference)["difference"]
    assert said(fast) == ("skipped", "shape", "the frame rates differ: video 24 fps, reference 30 fps")
    film = rows(crew, {"video": clip, "reference": make_clip("d.mp4", fps=24000 / 1001)}, toys.Difference)
    assert film["difference"].status == "ok"
    peer = rows(crew, {"video": clip, "reference": clip.with_name("c.mp4")}, toys.make(toys.Difference, parity="peer"))
    assert peer["difference"].status == "ok"  # FastVideo does not look at rates


def test_a_damaged_clip_costs_only_the_metrics_that_need_it(crew: Crew, make_clip: Make) -> None:
    whole, cut = make_clip("a.mp4", frames=48), make_clip("b.mp4", frames=48)
    cut.write_bytes(cut.read_bytes()[:-200])
    found = rows(crew, {"video": whole, "reference": cut}, toys.Toy, toys.Difference)
    assert found["brightness"].frames == 48
    assert said(found["difference"])[:2] == ("skipped", "unreadable")
    assert str(cut) in found["difference"].message
    absent = rows(crew, {"video": cut.with_name("absent.mp4")}, toys.Toy)["brightness"]
    assert absent.code == "unreadable"


class Glance(toys.Toy):
    """Of the first frames only."""

    spec = toys.described("glance", "video")

    def begin(self, sample: Sample, clip: Clip) -> Reading:
        return Glancing(self, clip)


class Glancing(toys.Brightness):
    def update(self, chunk: Chunk) -> bool:  # type: ignore[override]  # the others never have enough
        super().update(chunk)
        return True


def test_a_metric_that_has_seen_enough_is_shown_no_more(crew: Crew, make_clip: Make) -> None:
    clip = make_clip("a.mp4", frames=48)
    clip.write_bytes(clip.read_bytes()[:-200])
    alone, beside = (rows(crew, {"video": clip}, *kinds) for kinds in ((Glance,), (Glance, toys.Toy)))
    assert said(beside["brightness"])[:2] == ("skipped", "unreadable")
    for found in (alone, beside):  # the same whoever else looks on
        assert found["glance"].status == "ok"
        assert 0 < (found["glance"].frames or 0) < 5


def test_metrics_of_sound_need_no_frames(crew: Crew, tmp_path: Path) -> None:
    sound = tmp_path / "a.wav"
    sound.write_bytes(b"12345")
    assert rows(crew, {"audio": sound}, toys.Loudness, toys.Toy)["loudness"].value == 5
    lost = rows(crew, {"audio": tmp_path / "absent.wav"}, toys.Loudness)["loudness"]
    assert said(lost)[:2] == ("skipped", "unreadable")


class Sharing(toys.Toy):
    """Counts how often what it shares is computed."""

    spec = toys.described("sharing", "video")
    computed: list[tuple[int, int]] = []  # noqa: RUF012  of the class, so that two instances count together

    def begin(self, sample: Sample, clip: Clip) -> Reading:
        return SharedReading(clip)


class SharedReading:
    def __init__(self, clip: Clip) -> None:
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


def test_what_metrics_share_is_computed_once_a_chunk(crew: Crew, make_clip: Make) -> None:
    Sharing.computed.clear()
    keys = {"video": make_clip("a.mp4"), "reference": make_clip("b.mp4", frames=8)}
    five_frames = 5 * 2 * 3 * 32 * 48 * 3 * 1.01 / 1e6
    found = outcomes(crew, keys, Sharing, toys.make(Other, parity="peer"), memory_mb=five_frames)
    assert [item.row.status for item in found.values()] == ["ok", "ok"]
    # the first chunk is shared; of the second one sees all frames, and the other those that the reference has too
    assert sorted(Sharing.computed) == [(0, 5), (5, 3), (5, 4)]


def test_results_do_not_depend_on_workers_or_order(make_clip: Make) -> None:
    clips = [make_clip(f"{index}.mp4", 20 * index + 20) for index in range(5)]
    prepared = [prepare(toys.make(kind)) for kind in (toys.Toy, toys.Difference)]

    def run(workers: int, backwards: bool, where: Any = threads) -> dict[tuple[str, str], float | None]:
        work = [
            (Sample(clip.name, {"video": clip, "reference": clips[0]}), dict.fromkeys(ids(prepared), ""), prepared)
            for clip in clips[:: -1 if backwards else 1]
        ]
        found = [outcome.row for group in score_all(work, Effort(workers, MB), where) for outcome in group]
        return {(row.sample, row.metric): row.value for row in found}

    assert run(1, False) == run(2, False) == run(4, True) == run(2, False, processes)


def ids(prepared: list[Prepared]) -> list[str]:
    return [item.metric.spec.id for item in prepared]


def test_leaving_early_stops_the_clips_on_their_way(make_clip: Make) -> None:
    prepared = [prepare(toys.make(toys.Toy))]
    taken = []

    def work() -> Iterator[tuple[Sample, dict[str, str], list[Prepared]]]:
        for index in range(100):
            taken.append(index)
            yield Sample(str(index), {"video": clip}), dict.fromkeys(ids(prepared), ""), prepared

    clip = make_clip("a.mp4")
    found = score_all(work(), Effort(2, MB))
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
    clip, prepared = make_clip("a.mp4", frames=100), [prepare(toys.make(Slow))]
    missing = Sample("missing", {}), dict.fromkeys(ids(prepared), ""), prepared
    slow = Sample("slow", {"video": clip}), dict.fromkeys(ids(prepared), ""), prepared
    found = score_all([slow, missing], Effort(2, MB))
    assert next(found)[0].row.sample == "missing"
    found.close()  # type: ignore[attr-defined]
    assert Slow.seen < 50


class Dies(toys.Toy):
    def of(self, tracks: Mapping[str, NDArray[np.uint8]]) -> list[float]:
        os.kill(os.getpid(), signal.SIGKILL)
        return []


def test_a_process_that_dies_ends_the_pass_with_a_sentence(make_clip: Make) -> None:
    clip, prepared = make_clip("a.mp4"), [prepare(toys.make(Dies))]
    work = [(Sample(str(index), {"video": clip}), dict.fromkeys(ids(prepared), ""), prepared) for index in range(4)]
    with pytest.raises(InfrastructureError, match="has died"):
        list(score_all(work, Effort(2, MB), processes))


def test_processes_are_for_many_clips_without_networks() -> None:
    light = [prepare(toys.make(toys.Toy))]
    heavy = [*light, Prepared(select([Choice("common.lpips", {})], HubAssets("cpu", Path()))[0], "")]
    assert pays(light, 64, Effort(2, MB)) and pays(light, 64, Effort(192, MB))
    assert not pays(light, 63, Effort(2, MB))
    assert not pays(light, 64, Effort(1, MB))
    assert not pays(heavy, 64, Effort(2, MB))
