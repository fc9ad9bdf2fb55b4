# SPDX-License-Identifier: Apache-2.0
"""Comparing two clips: fvhydra against the usual way, wall time and peak memory, decode included.

The usual way is what tests of video engines do: decode both clips whole with imageio, make them float32 tensors, call
``pytorch_msssim.ms_ssim`` frame by frame. Both are timed as whole cold processes on the same two files, in turn.

    python benchmarks/compare_pair.py --repeats 3
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from timing import interleaved, markdown

FRAMES, HEIGHT, WIDTH = 81, 480, 832
TARGET = 8


def make(folder: Path, frames: int) -> None:
    """Write a textured moving clip, and one that drifted from it: a little of another texture moves along.

    With imageio's defaults, as the clips that others approved are.
    """
    import cv2
    import imageio.v3
    import numpy as np

    rng = np.random.default_rng(0)
    noise = rng.normal(0, 100, (2, HEIGHT, WIDTH + 2 * frames, 3)).astype(np.float32)
    texture, other = (cv2.GaussianBlur(field, (0, 0), 1.5) for field in noise)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    clip = np.empty((frames, HEIGHT, WIDTH, 3), np.uint8)
    for name, moving in (("reference", texture), ("generated", texture + 0.3 * other)):
        for index, frame in enumerate(clip):
            waves = (columns + 3 * index) / 47, (rows - 2 * index) / 31, (rows + columns + index) / 71
            colours = np.stack([128 + 80 * np.sin(wave) for wave in waves], axis=-1)
            frame[:] = (colours + moving[:, 2 * index : 2 * index + WIDTH]).clip(0, 255)
        imageio.v3.imwrite(folder / f"{name}_{frames}.mp4", clip, plugin="pyav", codec="libx264", fps=24)


def usual(reference: Path, generated: Path) -> list[float]:
    import imageio.v3
    import torch
    from pytorch_msssim import ms_ssim

    clips = [
        torch.from_numpy(imageio.v3.imread(path, plugin="pyav")).permute(0, 3, 1, 2).float()
        for path in (reference, generated)
    ]
    with torch.no_grad():
        return [float(ms_ssim(frame[None], other[None], data_range=255)) for frame, other in zip(*clips, strict=True)]


def fvhydra(reference: Path, generated: Path) -> list[float]:
    from fvhydra.similarity.pixel import compare_videos

    return compare_videos(reference, generated).per_frame


def decode_only(reference: Path, generated: Path) -> list[float]:
    from fvhydra.media.prefetch import prefetched
    from fvhydra.media.video import decode

    with prefetched(decode(reference)) as frames, prefetched(decode(generated)) as others:
        for _ in zip(frames, others, strict=True):
            pass
    return []


WAYS = {"usual": usual, "fvhydra": fvhydra, "decode only": decode_only}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--make", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("paths", nargs="*", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.make:
        make(arguments.paths[0], arguments.make)
    elif arguments.way:
        print(json.dumps(WAYS[arguments.way](*arguments.paths)))
    else:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), arguments.repeats)


def measure(folder: Path, repeats: int) -> None:
    me = [sys.executable, __file__]

    def command(way: str, frames: int) -> list[str]:
        return [*me, "--way", way, *(str(folder / f"{side}_{frames}.mp4") for side in ("reference", "generated"))]

    longer = 2 * FRAMES - 1
    interleaved({f"make {frames}": [*me, "--make", str(frames), str(folder)] for frames in (FRAMES, longer)}, 0)
    commands = {way: command(way, FRAMES) for way in WAYS}
    timings = interleaved(commands | {f"fvhydra, {longer} frames": command("fvhydra", longer)}, repeats)

    base, ours = timings["usual"], timings["fvhydra"]
    rows = [
        (
            name,
            f"{timing.wall_s:.2f}",
            f"{timing.cpu_s:.2f}",
            f"{timing.peak_mb:.0f}",
            *(
                (f"{base.wall_s / timing.wall_s:.1f}x", f"1/{base.peak_mb / timing.peak_mb:.1f}")
                if name in WAYS
                else ("", f"{timing.peak_mb / ours.peak_mb:.2f}x that of {FRAMES}")
            ),
        )
        for name, timing in timings.items()
    ]
    error = max(abs(left - right) for left, right in zip(json.loads(base.output), json.loads(ours.output), strict=True))
    megabytes = sum((folder / f"{side}_{FRAMES}.mp4").stat().st_size for side in ("reference", "generated")) / 1e6
    print(f"Two clips of {FRAMES} frames, {HEIGHT}x{WIDTH}, {megabytes:.1f} MB together; {os.cpu_count()} CPUs;")
    print(f"medians of {repeats} runs in turn\n")
    print(markdown(["way", "wall s", "CPU s", "peak MB", "wall, usual / this", "memory"], rows))
    print(f"\nLargest difference of a frame's value from the usual way: {error:.1e} (allowed 1e-5)")
    print(f"Target: {TARGET}x in wall time, 1/{TARGET} of the memory")


if __name__ == "__main__":
    main()
