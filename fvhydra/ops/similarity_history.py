# SPDX-License-Identifier: Apache-2.0
"""Similarity over time: the numbers of each case, from the run folders that ``op=check_ssim`` left."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fvhydra.core.errors import UsageError
from fvhydra.core.result import CaseResult, RunResult
from fvhydra.core.run import RunFolder
from fvhydra.core.trend import FAILED, GOOD, Mark, Series, SeriesMetric
from fvhydra.core.verdict import Verdict
from fvhydra.performance.record import parse_time
from fvhydra.performance.trends import rolling
from fvhydra.report.measures import measured_values

_OP = "check_ssim"
_NAMES = ("mean_ssim", "min_ssim", "slice_cosine_distance", "full_cosine_distance")


@dataclass(frozen=True)
class _Found:
    """A case of a run that compared something."""

    seconds: float
    time: str
    folder: Path
    model: str
    case: CaseResult


def similarity_series(folders: Iterable[Path], beside: Path) -> tuple[list[Series], list[str]]:
    """A series for each case that was compared, by name.

    Args:
        folders: Those that hold run folders, at any depth that commands make them.
        beside: The run folder that links are relative to.

    Returns:
        The series, and a sentence on each run that could not be read.
    """
    groups: dict[str, list[_Found]] = {}
    problems = []
    for path in sorted({path.resolve() for folder in folders for path in _results(folder)}):  # outputs/latest is a link
        try:
            for found in _cases(RunFolder(path.parent)):
                groups.setdefault(_name(found), []).append(found)
        except UsageError as error:
            problems.append(f"{path.parent} is left out: {error.message}")
    series = [_series(name, sorted(found, key=lambda f: f.seconds), beside) for name, found in sorted(groups.items())]
    return series, problems


def _results(folder: Path) -> Iterable[Path]:
    """``result.json`` of single runs (op/model/run) and of jobs of sweeps (op/sweep/job)."""
    if (folder / "result.json").is_file():
        return [folder / "result.json"]
    return [*folder.glob(f"{_OP}/*/*/result.json"), *folder.glob("*/result.json"), *folder.glob("*/*/result.json")]


def _cases(run: RunFolder) -> Iterable[_Found]:
    result: RunResult = run.result
    if result.op != _OP:
        return
    created = str(run.manifest["created"])
    if (time := parse_time(created)) is None:
        return
    for case in result.cases:
        if case.comparison is not None:
            yield _Found(time.timestamp(), created, run.path, result.model, case)


def _name(found: _Found) -> str:
    """Model, place of the reference (tier, GPU, backend), prompt and seed; the same prompt may be there twice."""
    place = (found.case.store_path or "").split("/")
    where = "/".join(part.removesuffix("_reference_videos") for part in (*place[1:3], *place[4:5]))
    prompt = found.case.prompt if len(found.case.prompt) <= 40 else f"{found.case.prompt[:39]}…"
    seed = "" if found.case.seed is None else f", seed {found.case.seed}"
    return f"{found.model} {where}: {prompt}{seed} ({found.case.fingerprint[:8]})"


def _series(name: str, found: list[_Found], beside: Path) -> Series:
    measured = [{value.key: value for value in measured_values(each.case)} for each in found]
    metrics = {}
    for values in measured:
        for key in _NAMES:
            if (value := values.get(key)) is not None and value.value is not None:
                higher = key.endswith("ssim")
                limit = value.bound if value.limit else None
                metrics[key] = SeriesMetric(key, value.name, "", higher, limit=limit)
    series = Series(name, "similarity", [metrics[key] for key in _NAMES if key in metrics])
    cohorts: list[int] = []
    references: dict[str, int] = {}
    for index, each in enumerate(found):
        commit = each.case.history[0] if each.case.history else {}
        revision = commit.get("revision", "")
        if index and references.get(revision) != cohorts[-1]:
            series.marks.append(
                Mark(index, "reseed", f"{commit.get('kind', 'reference')}: {commit.get('reason', '-')}")
            )
        cohorts.append(references.setdefault(revision, len(references)))
        series.times.append(each.time)
        series.seconds.append(each.seconds)
        series.links.append(Path(os.path.relpath(each.folder / "report" / "index.html", beside)).as_posix())
        series.outcomes.append(GOOD if each.case.verdict is Verdict.PASS else FAILED)
        series.notes.append(each.case.verdict.value.replace("_", " "))
    counts = [outcome == GOOD for outcome in series.outcomes]
    for metric in series.metrics:
        values_ = [values[metric.name].value if metric.name in values else None for values in measured]
        series.values[metric.name] = values_
        series.windows[metric.name] = rolling(values_, counts, cohorts)
    return series
