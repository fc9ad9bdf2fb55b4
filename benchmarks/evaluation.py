# SPDX-License-Identifier: Apache-2.0
"""Scoring clips: one decode for all metrics against one for each, memory, the second core, many short clips.

Every way is a whole cold process on the same files, and ways that are compared run in turn.

    python benchmarks/evaluation.py --repeats 3
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

from timing import Timing, interleaved, markdown

FUSED = (
    *("common.ssim", "common.ms_ssim", "common.psnr", "vbench.temporal_flickering"),
    *("physics_iq.mse", "physics_iq.spatial_iou", "physics_iq.spatiotemporal_iou", "physics_iq.weighted_spatial_iou"),
)
SIZES = {"pair": (81, 480, 832), "short": (81, 720, 1280), "long": (121, 720, 1280), "small": (9, 96, 160)}
COPIES = {"pair": 1, "short": 1, "long": 1, "small": 1000}
MANY = 16


def make(folder: Path) -> None:
    """Write textured moving clips, and ones that drifted from them, in every size."""
    import cv2
    import imageio.v3
    import numpy as np

    rng = np.random.default_rng(0)
    for name, (frames, height, width) in SIZES.items():
        noise = rng.normal(0, 100, (2, height, width + 2 * frames, 3)).astype(np.float32)
        texture, other = (cv2.GaussianBlur(field, (0, 0), 1.5) for field in noise)
        for side, moving in (("reference", texture), ("generated", texture + 0.3 * other)):
            (folder / name / side).mkdir(parents=True, exist_ok=True)
            clip = [(128 + moving[:, 2 * at : 2 * at + width]).clip(0, 255).astype(np.uint8) for at in range(frames)]
            path = folder / name / side / "0000.mp4"
            imageio.v3.imwrite(path, np.stack(clip), plugin="pyav", codec="libx264", fps=24)
            for copy in range(1, COPIES[name]):
                path.with_name(f"{copy:04}.mp4").symlink_to(path)


def fvhydra(cpus: int, copies: int, folder: Path) -> dict[str, float]:
    """Through the same functions as op=eval, without composing a configuration, and with as many workers as CPUs."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cpus])
    from fvhydra.config.metrics import Choice
    from fvhydra.core.progress import Silent
    from fvhydra.evaluation.evaluate import evaluate
    from fvhydra.evaluation.metric_setup import build_metrics
    from fvhydra.evaluation.scoring import Resources
    from fvhydra.metrics.assets import HubAssets
    from fvhydra.metrics.sample import Sample

    metrics = build_metrics([Choice(metric, {}) for metric in FUSED], HubAssets("cpu", folder))
    clips = sorted((folder / "generated").iterdir())
    samples = [
        Sample(f"{copy}/{clip.name}", {"video": clip, "reference": folder / "reference" / clip.name})
        for copy in range(copies)
        for clip in clips
    ]
    with tempfile.TemporaryDirectory() as run:
        summaries, _ = evaluate(samples, metrics, Path(run), Silent(), resources=Resources(cpus, 64))
    return {summary.metric: summary.value for summary in summaries if summary.value is not None}


def usual(folder: Path) -> dict[str, float]:
    from evaluator import evaluate

    return evaluate(folder / "reference" / "0000.mp4", folder / "generated" / "0000.mp4")


def decode_only(folder: Path) -> dict[str, float]:
    from fvhydra.evaluation.clip_reader import open_clips

    with open_clips({side: folder / side / "0000.mp4" for side in ("reference", "generated")}, 64) as reader:
        for _ in reader:
            pass
    return {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--way", choices=("usual", "fvhydra", "decode only", "make"), help=argparse.SUPPRESS)
    parser.add_argument("--cpus", type=int, default=2, help=argparse.SUPPRESS)
    parser.add_argument("--copies", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("folder", nargs="?", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way == "make":
        make(given.folder)
    elif given.way:
        ways = {"usual": usual, "decode only": decode_only, "fvhydra": partial(fvhydra, given.cpus, given.copies)}
        print(json.dumps(ways[given.way](given.folder)))
    else:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), given.repeats)


def measure(folder: Path, repeats: int) -> None:
    me = [sys.executable, __file__, "--way"]
    interleaved({"make": [*me, "make", str(folder)]}, 0)

    def scored(size: str, cpus: int = 2, copies: int = 1) -> list[str]:
        return [*me, "fvhydra", "--cpus", str(cpus), "--copies", str(copies), str(folder / size)]

    pair = str(folder / "pair")
    print(f"{os.cpu_count()} CPUs, medians of {repeats} runs in turn\n\n### A pair of 81 frames, 480x832\n")
    ways = interleaved(
        {"usual": [*me, "usual", pair], "fvhydra": scored("pair"), "decode only": [*me, "decode only", pair]}, repeats
    )
    base = ways["usual"]
    rows = [(name, *_cells(way), f"{base.wall_s / way.wall_s:.1f}x", f"1/{base.peak_mb / way.peak_mb:.1f}")
            for name, way in ways.items()]  # fmt: skip
    print(markdown(["way", "wall s", "CPU s", "peak MB", "wall, usual / this", "memory"], rows))
    theirs, ours = (json.loads(ways[name].output) for name in ("usual", "fvhydra"))
    error = max(abs(theirs[metric] - ours[metric]) for metric in theirs)
    print(f"\nusual: {len(theirs)} metrics; fvhydra: {len(ours)}. Largest difference of a value: {error:.1e}")
    print("Targets: 7x in wall time, 1/8 of the memory\n\n### Memory at 720x1280\n")
    sizes = interleaved({f"{SIZES[name][0]} frames": scored(name) for name in ("short", "long")}, repeats)
    print(markdown(["clip", "wall s", "CPU s", "peak MB"], [(name, *_cells(way)) for name, way in sizes.items()]))
    short, long = sizes.values()
    print(f"\n{long.peak_mb / short.peak_mb:.2f}x the memory for 1.5x the frames; target: at most 1.3x")
    sets = {
        f"{MANY} pairs of 81 frames, 480x832": ("pair", MANY),
        f"{COPIES['small']} pairs of 9 frames, 96x160": ("small", 1),
    }
    for title, (size, copies) in sets.items():
        print(f"\n### {title}\n")
        cores = interleaved({f"{n} CPU(s)": scored(size, n, copies) for n in (1, 2)}, max(1, repeats // 2))
        rows = [(name, *_cells(way)) for name, way in cores.items()]
        print(markdown(["", "wall s", "CPU s", "peak MB of a process"], rows))
        one, two = cores.values()
        print(f"\n{one.wall_s / two.wall_s:.2f}x with the second CPU; target: 1.8x")


def _cells(way: Timing) -> tuple[str, str, str]:
    return f"{way.wall_s:.2f}", f"{way.cpu_s:.2f}", f"{way.peak_mb:.0f}"


if __name__ == "__main__":
    main()
