# SPDX-License-Identifier: Apache-2.0
"""Comparison of a clip with its reference: MS-SSIM of every frame.

Both files are decoded at once, each in a thread, a few frames ahead of the workers that compare them, so memory does
not grow with the length of the clips.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import cv2
import numpy as np

from fvhydra.core.artifacts import PixelComparison
from fvhydra.core.errors import MediaError
from fvhydra.core.machine import cpus
from fvhydra.core.progress import Progress, Silent
from fvhydra.media.prefetch import prefetched
from fvhydra.media.video import Frame, VideoInfo, decode, probe, same_rate
from fvhydra.similarity.psnr import frame_psnr_db
from fvhydra.similarity.structure import StructuralSimilarity, levels_that_fit

_MOST_WORKERS = 4
"""With four, comparing is as fast as decoding; each more would only cost memory."""

_SSIM_MARGIN = 5
"""Black pixels around each frame, as in ``common.ssim`` of ``op=eval``: one name is one number."""


def compare_videos(
    reference: Path,
    generated: Path,
    progress: Progress | None = None,
    workers: int | None = None,
    metrics: Sequence[str] = (),
) -> PixelComparison:
    """Compare two clips frame by frame.

    Args:
        reference: The approved clip.
        generated: The clip to judge.
        progress: Told how many frames are done, of how many.
        workers: Threads that compare. None: the CPUs of this process, 4 at most.
        metrics: Further metrics a frame: ``common.ssim``, ``common.psnr``.

    Raises:
        MediaError: A file is missing, damaged or no video, or its frames are smaller than 11x11.
    """
    info, other = probe(reference), probe(generated)
    found = PixelComparison(info.height, info.width, info.fps, info.decoder)
    if difference := _difference(info, other):
        return replace(found, difference=difference)
    if not levels_that_fit(info.height, info.width):
        raise MediaError(f"{reference}: frames of {info.height}x{info.width} are too small; SSIM needs 11x11.")
    margin = _SSIM_MARGIN if "common.ssim" in metrics else 0
    kernels = [
        StructuralSimilarity(info.height, info.width, margin=margin)
        for _ in range(workers or min(cpus(), _MOST_WORKERS))
    ]
    with (
        _one_opencv_thread(),
        prefetched(decode(reference)) as frames,
        prefetched(decode(generated)) as others,
    ):
        measure = functools.partial(_measure, metrics=metrics)
        counts, measured = _compare_streams(frames, others, kernels, measure, progress or Silent(), info.frames or 0)
    values = [ms_ssim for ms_ssim, _ in measured]
    if counts[0] != counts[1]:
        difference = f"The frame counts differ: reference {counts[0]}, generated {counts[1]}."
        return replace(found, frames=counts[0], difference=difference)
    return replace(
        found,
        frames=counts[0],
        levels=kernels[0].levels,
        mean_ssim=float(np.mean(values)),
        min_ssim=min(values),
        max_ssim=max(values),
        worst_frame=int(np.argmin(values)),
        per_frame=values,
        metrics={name: [further[name] for _, further in measured] for name in metrics},
    )


def frame_changes(clip: Path) -> list[float]:
    """How much a clip moves: the mean absolute change from each frame to the next, in levels of 255.

    One value fewer than frames. Two clips of the same recipe move alike; a frozen, doubled or flickering frame shows.

    Raises:
        MediaError: The file is missing, damaged or no video.
    """
    changes: list[float] = []
    previous: Frame | None = None
    for frame in decode(clip):
        if previous is not None:
            changes.append(float(cv2.norm(frame, previous, cv2.NORM_L1) / frame.size))
        previous = frame
    return changes


Measured = tuple[float, dict[str, float | None]]
"""MS-SSIM of a frame, and the further metrics that were asked for."""


def _measure(kernel: StructuralSimilarity, reference: Frame, generated: Frame, metrics: Sequence[str]) -> Measured:
    structure = kernel(reference, generated, with_ssim="common.ssim" in metrics)
    further: dict[str, float | None] = {}
    if "common.ssim" in metrics:
        further["common.ssim"] = structure.ssim
    if "common.psnr" in metrics:
        psnr_db = frame_psnr_db(reference, generated)
        further["common.psnr"] = psnr_db if math.isfinite(psnr_db) else None
    return structure.ms_ssim, further


def _compare_streams(
    frames: Iterator[Frame],
    others: Iterator[Frame],
    kernels: Sequence[StructuralSimilarity],
    measure: Callable[[StructuralSimilarity, Frame, Frame], Measured],
    progress: Progress,
    expected: int,
) -> tuple[list[int], list[Measured]]:
    """How many frames each side had, and the values of those that both had, in order.

    Both are read to their ends, also when one of them is shorter, so that the counts are true.
    """
    counts, values = [0, 0], list[Measured]()
    idle = deque(kernels)
    waiting = deque[Future[Measured]]()

    def compare(frame: Frame, other: Frame) -> Measured:
        kernel = idle.pop()  # as many kernels as threads, so there always is one
        try:
            return measure(kernel, frame, other)
        finally:
            idle.append(kernel)

    def keep() -> None:
        values.append(waiting.popleft().result())
        if expected:
            progress.step(len(values), expected)

    with ThreadPoolExecutor(len(kernels)) as pool:
        for frame, other in zip_longest(frames, others):
            counts[0] += frame is not None
            counts[1] += other is not None
            if frame is not None and other is not None:
                waiting.append(pool.submit(compare, frame, other))
            if len(waiting) > len(kernels):
                keep()
        while waiting:
            keep()
    return counts, values


def _difference(reference: VideoInfo, generated: VideoInfo) -> str | None:
    """Why two clips cannot be compared, as far as their headers tell. Frame counts there may lie, so not those."""
    differences = []
    if (reference.height, reference.width) != (generated.height, generated.width):
        sizes = [f"{info.height}x{info.width}" for info in (reference, generated)]
        differences.append(f"The sizes differ: reference {sizes[0]}, generated {sizes[1]}.")
    if not same_rate(reference.fps, generated.fps):
        differences.append(f"The frame rates differ: reference {reference.fps:g}, generated {generated.fps:g} fps.")
    return " ".join(differences) or None


@contextlib.contextmanager
def _one_opencv_thread() -> Iterator[None]:
    """Turn off OpenCV's threads while the block runs: frames are spread over threads of ours."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
