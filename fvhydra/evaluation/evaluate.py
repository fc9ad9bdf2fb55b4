# SPDX-License-Identifier: Apache-2.0
"""An evaluation from samples to ``summary.json``, and several of them merged into one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fvhydra.core import files, untrusted
from fvhydra.core.errors import UsageError
from fvhydra.core.progress import Progress
from fvhydra.core.scores import MetricSummary, ScoreRow, read_rows, write_rows
from fvhydra.evaluation.journal import SCORES, Arrays, Journal, arrays_of, read_arrays, write_arrays
from fvhydra.evaluation.metric_run import Outcome, shown
from fvhydra.evaluation.metric_setup import LoadedMetric, load_metric
from fvhydra.evaluation.processes import processes, use_processes
from fvhydra.evaluation.scoring import Resources, Work, score_all, threads, with_sound
from fvhydra.evaluation.summary import fold, loaded_assets, summarise
from fvhydra.metrics.base import Metric, SetMetric
from fvhydra.metrics.sample import Sample


def evaluate(
    samples: Sequence[Sample],
    metrics: Sequence[Metric],
    folder: Path,
    progress: Progress,
    *,
    resources: Resources,
    earlier: Sequence[Path] = (),
) -> tuple[list[MetricSummary], list[ScoreRow]]:
    """Score samples and leave the results in ``folder``.

    Args:
        samples: With unique ids.
        metrics: What :func:`~fvhydra.evaluation.metric_setup.build_metrics` gave.
        folder: The run folder; rows that are there for the same content and metric version are kept.
        progress: Told of the samples that are done.
        resources: Threads and memory.
        earlier: Further folders to keep rows from.

    Returns:
        Summaries by metric id, and all rows sorted by sample and metric.
    """
    journal = Journal(folder, earlier)
    loaded = []
    for metric in metrics:
        progress.stage("load", msg=metric.spec.id)
        loaded.append(load_metric(metric))
    progress.stage("score", msg=f"{len(samples)} sample(s)")
    known: dict[str, list[Outcome]] = {}
    work = _work(samples, loaded, journal, known)
    where = processes if use_processes(loaded, len(samples), resources) else threads
    for done, outcomes in enumerate(score_all(work, resources, where), 1):
        journal.add([*known.pop(outcomes[0].row.sample), *outcomes])
        progress.step(done, len(samples))
    states = {
        metric.spec.id: fold(metric, folder, [row for row in journal.rows if row.metric == metric.spec.id])
        for metric in metrics
        if isinstance(metric, SetMetric)
    }
    assets = {metric.spec.id: loaded_assets(metric) for metric in metrics}
    summaries = conclude(folder, metrics, journal.rows, states, assets)
    journal.close()
    return summaries, journal.rows


def conclude(
    folder: Path,
    metrics: Sequence[Metric],
    rows: list[ScoreRow],
    states: dict[str, Arrays],
    assets: Mapping[str, dict[str, Any]],
) -> list[MetricSummary]:
    """Write ``scores.jsonl``, ``states/`` and ``summary.json``. ``assets`` says which weights each metric loaded."""
    rows.sort(key=lambda row: (row.sample, row.metric))
    write_rows(folder / SCORES, rows)
    for name, state in states.items():
        write_arrays(_state_file(folder, name), state)
    summaries = [
        replace(
            summarise(metric, [row for row in rows if row.metric == metric.spec.id], states.get(metric.spec.id)),
            assets=assets[metric.spec.id],
        )
        for metric in metrics
    ]
    files.write_json(folder / "summary.json", summaries)
    return summaries


def merge(folders: Sequence[Path], metrics: Sequence[Metric], into: Path) -> tuple[list[MetricSummary], list[ScoreRow]]:
    """Make one evaluation out of those of its shards: what a single process would have left, to the bit for rows.

    Args:
        folders: Run folders of the shards.
        metrics: Those of the shards; no model is loaded.
        into: Folder of the whole.

    Raises:
        UsageError: A sample is in two of them: they are no shards of one evaluation.
    """
    rows: list[ScoreRow] = []
    home: dict[str, Path] = {}
    for folder in folders:
        for row in read_rows(folder / SCORES):
            if home.setdefault(row.sample, folder) != folder:
                both = f"{home[row.sample]} and {folder}"
                raise UsageError(f"{row.sample} is in both {both}: these are no shards of one evaluation.")
            rows.append(row)
    for sample, folder in home.items():
        for path, copy in zip(arrays_of(folder, sample), arrays_of(into, sample), strict=True):
            if path.is_file():
                files.copy(path, copy)
    states: dict[str, Arrays] = {}
    for metric in metrics:
        if isinstance(metric, SetMetric):
            state = metric.empty()
            for folder in folders:
                state = metric.merge(state, read_arrays(_state_file(folder, metric.spec.id)))
            states[metric.spec.id] = state
    table = folders[0] / "summary.json"
    first = untrusted.typed(list[MetricSummary], untrusted.read_json(table), f"{table} is not a summary")
    assets = {item.metric: item.assets for item in first}
    return conclude(into, metrics, rows, states, assets), rows


def _work(
    samples: Sequence[Sample], loaded: Sequence[LoadedMetric], journal: Journal, known: dict[str, list[Outcome]]
) -> Iterator[Work]:
    """The samples and metrics that still have to be scored; earlier outcomes are put into ``known``."""
    hears = {"audio", "reference_audio"} & {key for item in loaded for key in item.metric.spec.keys("audio")}
    for sample in samples:
        heard = with_sound(sample) if hears else sample
        fitting = [item for item in loaded if heard.role != "reference" or item.metric.spec.kind == "set"]
        contents = _contents(fitting, heard)
        found, left = [], []
        for item in fitting:
            spec = item.metric.spec
            outcome = journal.known((heard.id, spec.id, spec.version, item.digest, contents[spec.id]))
            if outcome is None:
                left.append(item)
            else:
                found.append(replace(outcome, row=replace(outcome.row, **shown(heard))))
        if left:
            known[heard.id] = found
            yield heard, contents, left
        else:
            journal.add(found)


def _contents(loaded: Sequence[LoadedMetric], sample: Sample) -> dict[str, str]:
    """What each metric reads of a sample, hashed: once for all that read the same."""
    keys = {item.metric.spec.id: frozenset(read.key for read in item.metric.spec.inputs) for item in loaded}
    hashes = {read: _content(sample, read) for read in set(keys.values())}
    return {metric: hashes[read] for metric, read in keys.items()}


def _content(sample: Sample, keys: Iterable[str]) -> str:
    try:
        return sample.content(keys)
    except OSError:  # the row will say so
        return ""


def _state_file(folder: Path, metric: str) -> Path:
    return folder / "states" / f"{metric}.npz"
