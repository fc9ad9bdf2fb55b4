# SPDX-License-Identifier: Apache-2.0
"""Run folders as op=eval leaves them: real clips, real arrays a frame, hostile samples and prompts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fvhydra.core.comparison import MetricComparison, Pair, write_pairs
from fvhydra.core.result import GateResult, RunResult
from fvhydra.core.scores import MetricSummary, ScoreRow, side_file, write_rows
from fvhydra.core.verdict import Verdict
from fvhydra.metrics.functional.vbench.leaderboard import DIMENSIONS
from tests.report.run_folders import FRAMES, HOSTILE, Run, clip, manifest, write_clip

WORST_FRAME = 7
_PARAMS = "0123456789abcdef"


def row(metric: str, sample: str, value: float | None, **facts: Any) -> ScoreRow:
    return ScoreRow(sample, metric, 1, _PARAMS, f"content of {sample}", facts.pop("status", "ok"), value, **facts)


def summary(metric: str, rows: list[ScoreRow], direction: str = "higher", **facts: Any) -> MetricSummary:
    values = [found.value for found in rows if found.value is not None]
    counts = {status: sum(found.status == status for found in rows) for status in ("ok", "skipped", "failed")}
    reasons = {found.code: 1 for found in rows if found.code}
    value = facts.pop("value", float(np.mean(values)) if values else None)
    return MetricSummary(
        metric, 1, f"What {metric} measures", "sample", direction, "1", value, counts=counts, reasons=reasons, **facts
    )


def evaluated_run(folder: Path) -> Run:
    """Twelve samples: SSIM with a curve, PSNR that is infinite in places, FVD as one value; one skipped, one failed."""
    rows = []
    for index in range(12):
        sample = f"set/{index} odd #name? 50%.mp4"
        clips = {"video": f"artifacts/{index}.mp4", "reference": f"artifacts/{index} reference.mp4"}
        if index < 3:
            write_clip(folder, clips["reference"], clip())
            write_clip(folder, clips["video"], clip(changed=range(5, 9)))
        facts = {"clips": clips, "prompt": HOSTILE if index == 0 else f"prompt {index}", "tags": [f"tag {index % 2}"]}
        ssim = 0.9 - 0.02 * abs(np.arange(FRAMES) - WORST_FRAME).clip(0, 3)[::-1] + 0.004 * index
        ssim[WORST_FRAME] = 0.5
        psnr = np.where(np.arange(FRAMES - 1) % 4 == 3, np.inf, 30.0 + index)
        path = side_file(folder, sample)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **{"common.ssim/frames": ssim, "common.psnr/pairs": psnr})
        value = float(ssim.mean())
        rows.append(row("common.ssim", sample, value, series=["frames"], frames=FRAMES, **facts))
        rows.append(row("common.psnr", sample, 30.0 + index, series=["pairs"], outputs={"finite": 13}, **facts))
        rows.append(row("common.fvd", sample, None, **facts))
    skipped = {"status": "skipped", "code": "missing_input", "message": f"no reference {HOSTILE}"}
    rows.append(row("common.ssim", f"alone {HOSTILE}", None, tags=["tag 1"], **skipped))
    rows.append(row("common.psnr", "broken.mp4", None, status="failed", message="ValueError: it is <b>broken</b>"))
    write_rows(folder / "scores.jsonl", rows)
    ssim_rows, psnr_rows, fvd_rows = (
        [found for found in rows if found.metric == name] for name in ("common.ssim", "common.psnr", "common.fvd")
    )
    metrics = [
        summary(
            "common.ssim",
            ssim_rows,
            interval=(0.82, 0.88),
            params={"window": 11},
            std=0.01,
            series={"frames": "higher"},
        ),
        summary("common.psnr", psnr_rows, by_tag={"tag 0": {"value": 35.0, "ok": 6.0}}),
        summary("common.fvd", fvd_rows, "lower", value=123.4, assets={"i3d": {"repo": "x/y", "revision": "abc"}}),
    ]
    worst = [f"{ssim_rows[0].sample}: 0.5", HOSTILE]
    gates = [
        GateResult("common.ssim", "min >= 0.99", Verdict.REGRESSION, f"It is 0.5 {HOSTILE}.", 0.5, worst),
        GateResult("common.psnr", ">= 30", Verdict.PASS, "common.psnr value is 35.5, allowed >= 30.", 35.5),
    ]
    result = RunResult("eval", Verdict.REGRESSION, "1 of 2 gates.", metrics=metrics, gates=gates)
    return Run(folder, result, manifest())


def many_samples(folder: Path, count: int) -> Run:
    """Rows without clips on disk."""
    values = np.random.default_rng(3).beta(8, 2, count)
    rows = [row("common.ssim", f"{i:05}.mp4", float(v), prompt=f"prompt {i}", tags=[f"tag {i % 3}"],
                clips={"video": f"gen/{i:05}.mp4"}) for i, v in enumerate(values)]  # fmt: skip
    write_rows(folder / "scores.jsonl", rows)
    return Run(folder, RunResult("eval", Verdict.DONE, metrics=[summary("common.ssim", rows)]), manifest())


def vbench_summaries(without: tuple[str, ...] = ()) -> list[MetricSummary]:
    """One for each dimension, all at 0.5."""
    return [summary(f"vbench.{name}", [], value=0.5) for name in DIMENSIONS if name not in without]


def compared_run(folder: Path) -> Run:
    """Two metrics over three samples in two evaluations, and one metric that cannot be compared."""
    write_clip(folder, "before/0.mp4", clip())
    write_clip(folder, "after/0.mp4", clip(changed=range(5, 9)))
    pairs = []
    for index, difference in enumerate((-0.3, 0.1, 0.0)):
        clips = {side: {"video": str(folder / side / f"{index}.mp4")} for side in ("before", "after")}
        sample = f"{index} {HOSTILE}"
        pairs.append(Pair("common.ssim", sample, 0.75, 0.75 + difference, clips, HOSTILE, ["tag"]))
    write_pairs(folder / "pairs.jsonl", pairs)
    comparisons = [
        MetricComparison(
            "common.ssim", "SSIM", "higher", "1", 3, (1, 0), 0.75, 0.6833, -0.0667, (-0.2, 0.05), 1, 1, 1, 1.0
        ),
        MetricComparison("common.psnr", "PSNR", "higher", "dB", message=f"version 1 there {HOSTILE}, version 2 here"),
    ]
    gates = [GateResult("common.ssim", ">= -0.01", Verdict.REGRESSION, "It is -0.0667.", -0.0667, ["0: -0.3"])]
    details = {"runs": [f"outputs/a {HOSTILE}", "outputs/b"]}
    result = RunResult("eval_compare", Verdict.REGRESSION, comparisons=comparisons, gates=gates, details=details)
    return Run(folder, result, manifest())
