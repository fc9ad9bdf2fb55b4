# SPDX-License-Identifier: Apache-2.0
"""How long clips take, by what earlier jobs took with the same model on the same kind of machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from fvhydra.core.clip_log import ClipLog, read_clip_log
from fvhydra.core.errors import UsageError
from fvhydra.core.run import RunFolder

_LOOKED_AT = 20
"""Newest runs."""


def expected(root: Path, about: dict[str, Any], samplings: Sequence[dict[str, Any]]) -> tuple[float, int] | None:
    """Seconds that clips will take one after the other, loading included, and by how many earlier clips; None without.

    A clip is taken to need time in proportion to its steps, frames and pixels.

    Args:
        root: The folder of all runs of jobs.
        about: What decides how long a clip takes beside its size; as the manifest of a run has it under ``job.about``.
        samplings: Of the clips, resolved.
    """
    logs = [log for run in _runs(root, about) for log in _logs(run) if log.seconds.get("clip_s")]
    rates = [log.seconds["clip_s"] / work for log in logs if (work := _work(log.sampling))]
    if not rates:
        return None
    loading = [log.seconds["load_s"] for log in logs if "load_s" in log.seconds]
    return median(rates) * sum(map(_work, samplings)) + (median(loading) if loading else 0.0), len(rates)


def _runs(root: Path, about: dict[str, Any]) -> list[Path]:
    newest = sorted(root.glob("*/*/manifest.json"), key=lambda path: path.parent.name, reverse=True)[:_LOOKED_AT]
    found = []
    for path in newest:
        try:
            job = RunFolder(path.parent).manifest.get("job")
        except UsageError:  # damaged
            continue
        if isinstance(job, dict) and job.get("about") == about:
            found.append(path.parent)
    return found


def _logs(run: Path) -> list[ClipLog]:
    found = (read_clip_log(run, index) for index in range(len(list((run / "logs").glob("log_*.json")))))
    return [log for log in found if log is not None and log.state == "done"]


def _work(sampling: dict[str, Any]) -> float:
    """Steps x frames x pixels; what the model's library decides counts as one."""
    product = 1.0
    for name in ("num_inference_steps", "num_frames", "height", "width"):
        product *= sampling.get(name) or 1
    return product
