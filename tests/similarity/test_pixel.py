# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import pytorch_msssim
import torch

from fvhydra.core.errors import MediaError
from fvhydra.core.progress import Silent
from fvhydra.media import video
from fvhydra.media.encode import QUALITY
from fvhydra.media.prefetch import prefetched
from fvhydra.metrics.functional import pixel as functional
from fvhydra.similarity.pixel import compare_videos, frame_changes

from .conftest import Clip, textured
from .formulas import ms_ssim

Written = Callable[..., Path]
GATE = 0.93


def shifted_in_time(clip: Clip) -> Clip:
    return np.concatenate([clip[1:], clip[-1:]])


def shifted_hue(clip: Clip) -> Clip:
    turned = np.empty_like(clip)
    for index, frame in enumerate(clip):
        hsv = cv2.cvtColor(frame, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(int) + 20) % 180
        turned[index] = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    return turned


def blurred(clip: Clip) -> Clip:
    return np.stack([cv2.GaussianBlur(frame, (0, 0), 2) for frame in clip])


def noisy(clip: Clip) -> Clip:
    return (clip + np.random.default_rng(1).normal(0, 30, clip.shape)).clip(0, 255).astype(np.uint8)


def other_seed(clip: Clip) -> Clip:
    return textured(*clip.shape[:3], seed=1)


@pytest.mark.parametrize("change", [shifted_in_time, shifted_hue, blurred, noisy, other_seed])
@pytest.mark.parametrize(("height", "width"), [(64, 96), (192, 256)])
def test_the_gate_sees_what_is_wrong(written: Written, change: Callable[[Clip], Clip], height: int, width: int) -> None:
    clip = textured(8, height, width)
    found = compare_videos(written(clip, "reference"), written(change(clip), "generated"))
    assert found.difference is None
    assert found.mean_ssim is not None
    assert found.mean_ssim < GATE


@pytest.mark.parametrize(("height", "width"), [(64, 96), (192, 256)])
def test_identical_and_encoded_again_pass(
    written: Written, monkeypatch: pytest.MonkeyPatch, height: int, width: int
) -> None:
    reference = written(textured(8, height, width), "reference")
    same = compare_videos(reference, reference)
    assert (same.mean_ssim, same.min_ssim, same.max_ssim) == (1.0, 1.0, 1.0)
    assert same.per_frame == [1.0] * 8
    monkeypatch.setitem(QUALITY, "crf", "18")
    again = compare_videos(reference, written(np.stack(list(video.decode(reference))), "again"))
    assert again.min_ssim is not None
    assert GATE < again.min_ssim < 1


def test_one_bad_frame_is_found(written: Written) -> None:
    clip = textured(10, 64, 96)
    bad = clip.copy()
    bad[6] = 255 - bad[6]
    found = compare_videos(written(clip, "reference"), written(bad, "generated"))
    assert found.worst_frame == 6
    assert found.min_ssim == found.per_frame[6] < 0.3 < found.mean_ssim < found.max_ssim  # type: ignore[operator]
    assert found.mean_ssim == pytest.approx(np.mean(found.per_frame))


def test_frame_values_are_those_of_pytorch_msssim(written: Written) -> None:
    clip = textured(5, 192, 256)
    reference, generated = written(clip, "reference"), written(noisy(clip), "generated")
    found = compare_videos(reference, generated)
    assert (found.frames, found.levels, found.height, found.width, found.fps) == (5, 5, 192, 256, 24.0)
    pairs = zip(video.decode(reference), video.decode(generated), strict=True)
    for value, pair in zip(found.per_frame, pairs, strict=True):
        tensors = [torch.from_numpy(frame).permute(2, 0, 1)[None].float() for frame in pair]
        assert value == pytest.approx(float(pytorch_msssim.ms_ssim(*tensors, data_range=255)), abs=1e-5)


def test_small_clips_use_the_scales_that_fit(written: Written) -> None:
    clip = textured(3, 64, 96)
    reference, generated = written(clip, "reference"), written(noisy(clip), "generated")
    found = compare_videos(reference, generated)
    assert found.levels == 3
    pairs = zip(video.decode(reference), video.decode(generated), strict=True)
    assert found.per_frame == pytest.approx([ms_ssim(*pair, levels=3) for pair in pairs], abs=1e-6)


def test_the_number_of_workers_does_not_change_a_bit(written: Written) -> None:
    clip = textured(12, 64, 96)
    pair = written(clip, "reference"), written(noisy(clip), "generated")
    assert compare_videos(*pair, workers=1) == compare_videos(*pair, workers=3)


@pytest.mark.parametrize(
    ("change", "fps", "says"),
    [
        (lambda clip: clip[:-1], 24, "The frame counts differ: reference 8, generated 7."),
        (lambda clip: np.delete(clip, 3, axis=0), 24, "The frame counts differ: reference 8, generated 7."),
        (lambda clip: np.repeat(clip, 2, axis=0), 24, "The frame counts differ: reference 8, generated 16."),
        (lambda clip: clip[:, :48], 24, "The sizes differ: reference 64x96, generated 48x96."),
        (lambda clip: clip, 16, "The frame rates differ: reference 24, generated 16 fps."),
        (lambda clip: clip, 25, "The frame rates differ: reference 24, generated 25 fps."),
    ],
)
def test_what_cannot_be_compared_gets_no_number(
    written: Written, change: Callable[[Clip], Clip], fps: float, says: str
) -> None:
    clip = textured(8, 64, 96)
    found = compare_videos(written(clip, "reference"), written(change(clip), "generated", fps))
    assert found.difference == says
    assert (found.mean_ssim, found.min_ssim, found.max_ssim, found.worst_frame) == (None, None, None, None)
    assert found.per_frame == []


def test_film_at_24000_of_1001_has_the_rate_of_24(written: Written) -> None:
    clip = textured(4, 64, 96)
    found = compare_videos(written(clip, "reference"), written(clip, "generated", 24_000 / 1001))
    assert found.difference is None
    assert found.min_ssim == pytest.approx(1, abs=1e-3)


def test_a_damaged_clip_is_named_and_no_thread_is_left(written: Written) -> None:
    clip = noisy(textured(60, 64, 96))
    reference, damaged = written(clip, "reference"), written(clip, "damaged")
    data = damaged.read_bytes()
    damaged.write_bytes(data[: len(data) // 2] + np.random.default_rng(0).bytes(len(data) - len(data) // 2))
    threads = threading.active_count()
    for pair in ((reference, damaged), (damaged, reference)):
        with pytest.raises(MediaError, match=r"damaged\.mp4 is damaged"):
            compare_videos(*pair)
    assert threading.active_count() == threads


class Interrupts(Silent):
    def step(self, done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt


def test_ctrl_c_ends_at_once_and_leaves_no_thread(written: Written) -> None:
    reference = written(textured(60, 64, 96), "reference")
    threads = threading.active_count()
    cv2.setNumThreads(3)
    with pytest.raises(KeyboardInterrupt):
        compare_videos(reference, reference, Interrupts())
    assert threading.active_count() == threads
    assert cv2.getNumThreads() == 3


def test_progress_counts_frames(written: Written) -> None:
    seen: list[tuple[int, int]] = []

    class Listens(Silent):
        def step(self, done: int, total: int) -> None:
            seen.append((done, total))

    reference = written(textured(7, 64, 96), "reference")
    compare_videos(reference, reference, Listens())
    assert seen == [(done, 7) for done in range(1, 8)]


def test_read_ahead_stays_bounded_and_closes_the_generator() -> None:
    made: list[int] = []
    closed = threading.Event()

    def numbers() -> object:
        try:
            for number in range(1000):
                made.append(number)
                yield number
        finally:
            closed.set()

    with prefetched(numbers(), depth=4) as ahead:  # type: ignore[arg-type]
        assert [next(ahead) for _ in range(10)] == list(range(10))
    assert len(made) <= 14
    assert closed.is_set()


def test_too_small_for_the_window(written: Written) -> None:
    tiny = written(textured(2, 8, 32), "tiny")
    with pytest.raises(MediaError, match="8x32 are too small; SSIM needs 11x11"):
        compare_videos(tiny, tiny)


def test_comparing_pixels_needs_no_torch() -> None:
    script = "import sys, fvhydra.similarity.pixel; print('torch' in sys.modules, 'diffusers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_further_metrics_are_those_of_an_evaluation(written: Written) -> None:
    clip = textured(4, 64, 96)
    other = noisy(clip)
    paths = written(clip, "clip"), written(other, "other")
    names = ("common.ssim", "common.psnr")
    found = compare_videos(*paths, metrics=names)
    decoded = [np.stack(list(video.decode(path))) for path in paths]
    assert found.metrics["common.ssim"] == functional.ssim(*decoded).tolist()
    assert found.metrics["common.psnr"] == pytest.approx(functional.psnr_db(*decoded).tolist())
    assert found.per_frame == compare_videos(*paths).per_frame
    assert compare_videos(paths[0], paths[0], metrics=names).metrics["common.psnr"] == [None] * len(clip)
    assert compare_videos(*paths).metrics == {}


def test_how_much_a_clip_moves(written: Written) -> None:
    clip = textured(4, 64, 96)
    clip[2] = clip[1]
    path = written(clip, "clip")
    frames = [frame.astype(int) for frame in video.decode(path)]
    expected = [float(np.abs(after - before).mean()) for before, after in itertools.pairwise(frames)]
    assert frame_changes(path) == pytest.approx(expected)
    assert expected[1] < 5 < min(expected[0], expected[2])
    assert frame_changes(written(clip[:1], "still")) == []


def test_sizes_and_rates_that_differ_are_named_together(written: Written) -> None:
    found = compare_videos(written(textured(2, 64, 96), "reference"), written(textured(2, 48, 96), "generated", 12))
    assert found.difference == (
        "The sizes differ: reference 64x96, generated 48x96. The frame rates differ: reference 24, generated 12 fps."
    )
    assert (found.height, found.width, found.fps, found.frames, found.metrics) == (64, 96, 24.0, None, {})
