# SPDX-License-Identifier: Apache-2.0
"""Run folders as ops leave them: real clips, real difference maps, hostile prompts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fvhydra.core.artifacts import (
    ClipFacts,
    LatentComparison,
    LatentNumerics,
    LatentThresholds,
    Numerics,
    PixelComparison,
    PixelThresholds,
)
from fvhydra.core.result import CaseResult, Criterion, Difference, RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.media.video import encode

FPS = 12
FRAMES = 18
WORST = 11
HOSTILE = (
    'A cat | "quoted" <script>alert(1)</script> [x](http://evil.test) `tick` @someone #1\n\x00\x1b[31mred\ud800 %20 ?'
)
FOLDER = "reference_videos/smoke/CPU_reference_videos/Wan2.1-T2V-1.3B-Diffusers/TORCH_SDPA"
ENVIRONMENT = {
    "fvhydra": "0.1.0",
    "python": "3.11.2",
    "torch": "2.13.0",
    "cpu": "Some CPU @ 2.0 GHz",
    "git_dirty": "no",
}


@dataclass(frozen=True)
class Run:
    """What ``write_report`` takes."""

    folder: Path
    result: RunResult
    manifest: dict[str, Any]


def clip(shift: int = 0, changed: range = range(0)) -> NDArray[np.uint8]:
    """A disc that moves over a gradient; frame i has a background brightness that grows with i.

    ``changed`` frames show the disc elsewhere and in another colour.
    """
    y, x = np.mgrid[0:144, 0:256]
    frames = np.empty((FRAMES, 144, 256, 3), np.uint8)
    for index in range(FRAMES):
        level = 40 + 8 * index
        frames[index] = np.stack([level + x // 8, level + y // 6, np.full_like(x, level)], axis=-1)
        left, colour = 40 + 10 * index, (230, 120, 40)
        if index in changed:
            left, colour = left + 24 + shift, (40, 200, 160)
        frames[index][(x - left) ** 2 + (y - 72) ** 2 < 28**2] = colour
    return frames


def pixel_case(index: int, verdict: Verdict, prompt: str, values: list[float] | None, **facts: Any) -> CaseResult:
    stem = f"{index} odd #name? 50% & 'quoted' 猫"
    comparison = None
    if values is not None:
        comparison = PixelComparison(
            mean_ssim=float(np.mean(values)),
            min_ssim=min(values),
            max_ssim=max(values),
            worst_frame=int(np.argmin(values)),
            per_frame=values,
            frames=FRAMES,
            height=144,
            width=256,
            fps=float(FPS),
            levels=4,
            decoder="pyav",
            thresholds=PixelThresholds(0.93, 0.8),
            passed=verdict is Verdict.PASS,
        )
    return CaseResult(
        **{
            "index": index,
            "prompt": prompt,
            "seed": 1024 + index,
            "fingerprint": f"{index:064x}",
            "verdict": verdict,
            "kind": "pixel",
            "artifact": f"artifacts/{FOLDER}/{stem}.mp4",
            "reference": f"references/{FOLDER}/{stem}.mp4" if values else None,
            "store_path": f"{FOLDER}/{stem}.mp4",
            "comparison": comparison,
            "seconds": {"total_s": 12.25, "dit_time_s": 10.5, "vae_decode_time_s": 1.25},
            **facts,
        }
    )


def write_clip(folder: Path, path: str | None, frames: NDArray[np.uint8]) -> None:
    assert path
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    encode(folder / path, frames, FPS)


def pixel_run(folder: Path) -> Run:
    """Four cases: identical clips, clips that differ around the worst frame, no reference, clips of other lengths."""
    dip = [round(0.99 - 0.35 * float(np.exp(-(((frame - WORST) / 2.2) ** 2))), 6) for frame in range(FRAMES)]
    same = pixel_case(0, Verdict.PASS, "A lone hiker stands atop a towering cliff, silhouetted.", [1.0] * FRAMES)
    moved = pixel_case(
        1,
        Verdict.REGRESSION,
        "Will Smith casually eats noodles, his relaxed demeanor contrasting with the energetic background of a "
        "bustling street food market. The scene captures a mix of humor and authenticity. Mid-shot framing.",
        dip,
        message=f"The worst frame ({WORST}) has MS-SSIM {min(dip):.4f}, below 0.8.",
        environment_difference=[Difference("torch", "2.12.1", "2.13.0"), Difference("git_commit", "1f2e3d4c", None)],
    )
    alone = pixel_case(
        2,
        Verdict.NO_REFERENCE,
        HOSTILE,
        None,
        message="There is no reference for this case.\nSeed it with: fvhydra op=seed_ssim model=wan21_t2v_1_3b",
    )
    sentence = "The reference has 18 frames, the generated clip 17."
    shorter = pixel_case(3, Verdict.REGRESSION, "A short one.", [0.9] * FRAMES, message=sentence)
    shorter.message = f"comparable is {sentence}, allowed equal frame counts, sizes and fps."
    shorter.criteria = [Criterion("comparable", False, sentence, "equal frame counts, sizes and fps")]
    moved.criteria = [Criterion("mean MS-SSIM", False, "0.9142", ">= 0.93")]
    shorter.comparison = PixelComparison(
        144, 256, float(FPS), "pyav", difference=sentence, passed=False, thresholds=PixelThresholds(0.93)
    )
    for case in (same, moved, shorter):
        write_clip(folder, case.reference, clip())
    write_clip(folder, same.artifact, clip())
    write_clip(folder, moved.artifact, clip(changed=range(WORST - 4, WORST + 5)))
    write_clip(folder, alone.artifact, clip())
    write_clip(folder, shorter.artifact, clip()[:-1])
    result = RunResult(
        "check_ssim",
        Verdict.NO_REFERENCE,
        "2 of 4 cases are a regression, 1 has no reference.",
        "wan21_t2v_1_3b",
        cases=[same, moved, alone, shorter],
        notes=["Seed what is missing with: fvhydra op=seed_ssim model=wan21_t2v_1_3b"],
    )
    return Run(folder, result, manifest())


def numerics(mean: float, **facts: Any) -> Numerics:
    found = Numerics(
        format_version=1,
        shape=[1, 128, 6, 16, 24],
        dtype_original="torch.float32",
        slice_kind="corner_3x3_first_frame",
        mean=mean,
        std=1.0123,
        min=-4.5,
        max=4.25,
        nan_count=0,
        inf_count=0,
    )
    return replace(found, **facts)


def latent_case(index: int, verdict: Verdict, slice_distance: float | None, full: float | None) -> CaseResult:
    return CaseResult(
        index=index,
        prompt="A warm sunny backyard. The camera starts in a tight cinematic close-up of a woman and a man.",
        seed=10,
        fingerprint=f"{index:064x}",
        verdict=verdict,
        kind="latent",
        artifact=f"artifacts/{index}.pt",
        reference=f"references/{index}.pt",
        comparison=LatentComparison(
            slice_cosine_distance=slice_distance,
            full_cosine_distance=full,
            max_abs_diff=0.75,
            thresholds=LatentThresholds(5e-3, 1e-2),
            passed=verdict is Verdict.PASS,
        ),
        numerics=LatentNumerics(numerics(0.0102), numerics(0.0309, dtype_original="torch.bfloat16")),
    )


def write_map(folder: Path, case: CaseResult, values: NDArray[np.float32]) -> None:
    case.difference_map = f"artifacts/{case.index}_difference.npy"
    (folder / "artifacts").mkdir(parents=True, exist_ok=True)
    np.save(folder / case.difference_map, values)
    for path in (case.artifact, case.reference):
        assert path
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()


def latent_run(folder: Path) -> Run:
    """A video latent outside tolerance, one within, and an audio latent."""
    noise = np.random.default_rng(7)
    y, x = np.mgrid[0:16, 0:24]
    blob = np.stack([np.exp(-((x - 5 - 2 * t) ** 2 + (y - 8) ** 2) / 14) * 0.3 for t in range(6)])
    far = latent_case(0, Verdict.REGRESSION, 0.0213, 0.0004)
    far.message = "The slice's cosine distance is 0.0213, above 0.005."
    near = latent_case(1, Verdict.PASS, 2.1e-7, 3.4e-6)
    sound = latent_case(2, Verdict.PASS, 1e-6, 2e-5)
    sound.numerics = LatentNumerics(generated=numerics(0.002, shape=[1, 64, 256], slice_kind="audio_first_8_timesteps"))
    write_map(folder, far, (blob + 0.02 * noise.random((6, 16, 24))).astype(np.float32))
    write_map(folder, near, (1e-4 * noise.random((6, 16, 24))).astype(np.float32))
    strip = (np.abs(np.sin(np.arange(256) / 20)) * noise.random((1, 64, 256))).astype(np.float32)
    strip[0, 3, 9] = np.nan
    write_map(folder, sound, strip)
    result = RunResult(
        "check_ssim", Verdict.REGRESSION, "1 of 3 cases is a regression.", "ltx2", cases=[near, far, sound]
    )
    return Run(folder, result, manifest())


def seed_run(folder: Path) -> Run:
    """A review page: one new latent with a failing criterion, one new clip."""
    latent = latent_case(0, Verdict.DONE, None, None)
    latent.comparison = latent.reference = None
    latent.store_path = "reference_videos/smoke/CPU_reference_videos/LTX2-Distilled-Diffusers/TORCH_SDPA/A warm.pt"
    latent.numerics = LatentNumerics(generated=numerics(0.01, std=7.5))
    latent.criteria = [
        Criterion("format_version", True, "1", "1"),
        Criterion("std", False, "7.5", "0.3 to 3"),
    ]
    (folder / "artifacts").mkdir(parents=True)
    (folder / "artifacts" / "0.pt").touch()
    pixels = pixel_case(1, Verdict.DONE, "A lone hiker.", None)
    pixels.clip = ClipFacts(FRAMES, 144, 256, float(FPS))
    write_clip(folder, pixels.artifact, clip())
    notes = ["Blocked by: std. If it is right all the same: fvhydra op=publish run=outputs/latest op.accept=[std]"]
    result = RunResult("seed_ssim", Verdict.DONE, "2 artifacts are ready.", "ltx2", cases=[latent, pixels], notes=notes)
    result.sides = ("reference", "new")
    return Run(folder, result, manifest())


def manifest() -> dict[str, Any]:
    return {
        "environment": ENVIRONMENT,
        "command": ["fvhydra", "op=check_ssim", "prompt=A cat, sitting = happy (1.2)"],
        "created": "2026-11-21T03:15:00Z",
        "config": {"op": {"name": "check_ssim"}, "sampling": {"seed": 10, "num_frames": FRAMES}},
    }
