# SPDX-License-Identifier: Apache-2.0
"""``op=eval``: score clips with any set of metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fvhydra.config.metrics import choices
from fvhydra.config.op import EvalConfig
from fvhydra.config.root import Config
from fvhydra.core import files
from fvhydra.core.environment import environment, gpu_state
from fvhydra.core.errors import UsageError
from fvhydra.core.machine import cpus
from fvhydra.core.result import RunResult, SweepJob
from fvhydra.core.run import RunFolder
from fvhydra.core.scores import MetricSummary, ScoreRow
from fvhydra.core.text import printable
from fvhydra.core.verdict import Verdict, worst
from fvhydra.evaluation import gate
from fvhydra.evaluation.device import check_device, device_of, float32_as
from fvhydra.evaluation.manifest import manifest_of
from fvhydra.evaluation.metric_setup import build_metrics, require_packages
from fvhydra.evaluation.samples import Samples, read_samples
from fvhydra.evaluation.shards import shard_of
from fvhydra.evaluation.vbench import standing
from fvhydra.metrics.assets import HubAssets
from fvhydra.metrics.base import Metric
from fvhydra.metrics.download import terms
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.weights_lock import WeightsLock
from fvhydra.ops.base import Op
from fvhydra.ops.context import Context, Prepared
from fvhydra.ops.job_inputs import JobInputs

CONVERSION = (
    "libswscale to RGB, 8 bit, full range; matrix and range as the stream says, BT.601 and limited where it does not; "
    "more bits become 8 in their planes first; turned by quarters and mirrored as the display matrix says"
)
"""How decoded pictures become frames; recorded with the results."""

_LISTED = 5


class Eval(Op):
    """Every clip is decoded once, and every metric sees it."""

    config: EvalConfig
    uses_model = False

    @property
    def is_shard(self) -> bool:  # type: ignore[override]  # the jobs of a sweep over op.shard are parts of one answer
        """Whether this is one shard of several."""
        return self.config.shard is not None

    def preflight(self, context: Context) -> None:
        """Refuse what cannot be scored: no samples, unknown or planned metrics, wrong parameters, limits on others."""
        metrics = _metrics(context.prepared)
        if context.config.launcher.same_environment:
            require_packages(metrics)
        check_device(context.config)
        gate.refuse_unknown(self.config.gate, {metric.spec.id for metric in metrics})
        self._samples(context.prepared)
        if self.config.resume_from is not None and not RunFolder.is_at(files.given_path(self.config.resume_from)):
            raise UsageError(
                f"op.resume_from={self.config.resume_from} is not the folder of a run.",
                "Give the folder of one evaluation, as op.resume_from=outputs/latest; a sweep goes on with sweep=<it>.",
            )

    def gpus(self, config: Config) -> int:
        return int(device_of(config) != "cpu")

    def inputs(self, prepared: Prepared) -> dict[str, str]:
        """The content of everything that is scored: ids and files."""
        keys = {item.key for metric in _metrics(prepared) for item in metric.spec.inputs}
        samples = self._samples(prepared).samples
        digest = prepared.shared.once(("contents", id(samples), *sorted(keys)), lambda: _digest(samples, keys))
        return {"samples": digest}

    def job_inputs(self, context: Context) -> JobInputs:
        """The samples of this shard as a manifest, with their files."""
        config, manifest = context.config, context.run.path.absolute() / "status" / "samples.jsonl"
        samples, _ = self._own(self._samples(context.prepared), context)
        read = {value for sample in samples for value in sample.keys.values() if isinstance(value, Path)}
        read |= {frame for path in read if path.is_dir() for frame in path.iterdir()}
        sent = dict.fromkeys(sorted(path for path in read if path.is_file()))  # the worker tells of the others
        lock = _assets(context.prepared).lock.path
        if lock is not None and lock.is_file():
            sent[lock] = None
        kept = replace(config.metrics, weights_lock=None if lock is None else str(lock))
        there = replace(config, videos=None, references=None, run=None, manifest=str(manifest), metrics=kept)
        return JobInputs(there, {manifest: manifest_of(samples), **sent})

    def unsendable(self, config: Config) -> list[str]:
        """Local weights, which can be of any size, and an earlier evaluation are not sent."""
        kept = {f"metrics.assets.{name}": path for name, path in config.metrics.assets.items()}
        return [f"{key}={path}" for key, path in {**kept, "op.resume_from": self.config.resume_from}.items() if path]

    def run(self, context: Context) -> RunResult:
        """Leave ``scores.jsonl``, ``summary.json``, ``frames/`` and ``states/``."""
        from fvhydra.evaluation.evaluate import evaluate
        from fvhydra.evaluation.scoring import Resources

        metrics = _metrics(context.prepared)
        found = self._samples(context.prepared)
        samples, shards = self._own(found, context)
        workers = self.config.workers or cpus()
        device, tf32 = device_of(context.config), context.config.metrics.tf32
        assets = _assets(context.prepared)
        for asset in assets.absent(asset for metric in metrics for asset in metric.spec.loads(metric.params)):
            context.progress.stage("weights", msg=terms(asset))
        how = self._provenance(found, len(samples), shards, device) | {"workers": workers}
        context.run.update_manifest(evaluation=how)
        with float32_as(device, tf32):
            summaries, rows = evaluate(
                samples,
                metrics,
                context.run.path,
                context.progress,
                resources=Resources(workers, self.config.memory_mb, context.config.runtime.threads),
                earlier=[files.given_path(self.config.resume_from)] if self.config.resume_from else [],
            )
            if device != "cpu":
                context.run.update_manifest(environment=environment() | gpu_state())
        pinned = assets.lock.told()
        if shards > 1:  # limits are for the whole
            return self._result(summaries, rows, Verdict.DONE, pinned)
        return self._judged(summaries, rows, [*_unpaired(found), *pinned])

    def resume_command(self, context: Context) -> list[str]:
        """The same command with ``op.resume_from``: rows that were scored are kept."""
        return [*context.command[1:], f"op.resume_from={context.run.path}"]

    def merge(self, context: Context, jobs: Sequence[SweepJob]) -> RunResult:
        """One evaluation out of its shards."""
        from fvhydra.evaluation.evaluate import merge

        unfinished = [job for job in jobs if not job.result.metrics]
        if unfinished:
            return RunResult(
                op=self.config.name,
                verdict=worst(job.result.verdict for job in unfinished),
                message=f"Not merged: {len(unfinished)} of {len(jobs)} shards did not come to an end.",
                notes=["The same command with sweep=<the sweep's folder> runs only those again."],
            )
        metrics = _metrics(context.prepared)
        found = self._samples(context.prepared)
        how = self._provenance(found, len(found.samples), len(jobs), device_of(context.config))
        folders = [context.run.path.parent / job.folder for job in sorted(jobs, key=lambda job: job.number)]
        made = [RunFolder(folder).manifest["environment"] for folder in folders]
        context.run.update_manifest(evaluation=how, environment=_of_all(made))
        summaries, rows = merge(folders, metrics, context.run.path)
        return self._judged(summaries, rows, _unpaired(found))

    def _samples(self, prepared: Prepared) -> Samples:
        """All samples, read once for all shards of a command."""
        config = prepared.config
        specs = [metric.spec for metric in _metrics(prepared)]
        keys = [key for spec in specs for key in (*spec.keys("video"), *spec.keys("audio"), *spec.keys("file"))]
        given = {"videos": config.videos, "references": config.references, "run": config.run}
        given["manifest"] = config.manifest
        # a shard may be what `job_inputs` made of one without samples
        fps, of_shard = self.config.fps, self.config.shard is not None
        return prepared.shared.once(
            ("samples", *keys, *given.values(), fps, of_shard),
            lambda: read_samples(keys, **given, fps=fps, of_shard=of_shard),
        )

    def _own(self, found: Samples, context: Context) -> tuple[list[Sample], int]:
        """The samples of this shard, and the number of shards."""
        own = self.config.shard or 0
        shards = self.config.shards if self.is_shard else 1
        return [sample for sample in found.samples if shards == 1 or shard_of(sample, shards) == own], shards

    def _provenance(self, found: Samples, samples: int, shards: int, device: str) -> dict[str, Any]:
        import av

        return {
            "samples": samples,
            "without_reference": [printable(name) for name in found.alone],
            "without_video": [printable(name) for name in found.unused],
            "shard": self.config.shard,
            "shards": shards,
            "device": device,
            "decoder": f"pyav {av.__version__}",
            "libraries": {name: ".".join(map(str, version)) for name, version in av.library_versions.items()},
            "conversion": CONVERSION,
            "memory_mb": self.config.memory_mb,
        }

    def _judged(self, summaries: list[MetricSummary], rows: list[ScoreRow], notes: list[str]) -> RunResult:
        """The result of a whole evaluation, held to its limits."""
        gates = gate.evaluate(self.config.gate, gate.of_scores(summaries, rows))
        verdicts = [item.verdict for item in gates]
        if not gates:
            verdicts.append(Verdict.DONE if any(row.status == "ok" for row in rows) else Verdict.INCONCLUSIVE)
        if self.config.strict and any(row.status != "ok" for row in rows):
            verdicts.append(Verdict.INCONCLUSIVE)
        result = self._result(summaries, rows, worst(verdicts), notes)
        broken = [item.message for item in gates if item.verdict is not Verdict.PASS]
        vbench = standing(summaries)
        result.gates, result.message = gates, " ".join([result.message, *broken])
        result.details = {"vbench": vbench} if vbench else {}
        return result

    def _result(
        self, summaries: list[MetricSummary], rows: list[ScoreRow], verdict: Verdict, notes: list[str]
    ) -> RunResult:
        counts = [f"{sum(row.status == status for row in rows)} {status}" for status in ("ok", "skipped", "failed")]
        samples = len({row.sample for row in rows})
        return RunResult(
            op=self.config.name,
            verdict=verdict,
            message=f"{samples} sample(s), {len(summaries)} metric(s): {', '.join(counts)}.",
            metrics=summaries,
            notes=notes + _of_tiny_weights(summaries),
        )


def assets_of(config: Config) -> HubAssets:
    """The source of the metrics' weights, as ``metrics`` configures it.

    Raises:
        UsageError: ``metrics.weights_lock`` is no lock.
    """
    lock = config.metrics.weights_lock
    return HubAssets(
        device=device_of(config),
        cache_dir=files.given_path(config.runtime.cache_dir),
        overrides={name: files.given_path(path) for name, path in config.metrics.assets.items() if path is not None},
        tiny=config.metrics.tiny,
        lock=WeightsLock.read(None if lock is None else files.given_path(lock).absolute()),
    )


def _metrics(prepared: Prepared) -> list[Metric]:
    config = prepared.config
    return prepared.own.once("metrics", lambda: build_metrics(choices(config.metrics), _assets(prepared)))


def _assets(prepared: Prepared) -> HubAssets:
    """Those of all metrics of a command."""
    return prepared.own.once("assets", lambda: assets_of(prepared.config))


def _digest(samples: Sequence[Sample], keys: Iterable[str]) -> str:
    """Hex SHA-256 of what the samples are: their ids, and the content of what is read of them."""
    found = {}
    for sample in samples:
        try:
            found[sample.id] = sample.content(keys)
        except OSError:
            found[sample.id] = "missing"
    return files.sha256_bytes(files.canonical_json(found).encode())


def _of_all(environments: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The facts of several machines as one: where they differ, every value there is."""
    keys = dict.fromkeys(key for facts in environments for key in facts)
    return {key: ", ".join(dict.fromkeys(facts[key] for facts in environments if key in facts)) for key in keys}


def _unpaired(found: Samples) -> list[str]:
    return [
        f"{len(names)} {what}: {printable(', '.join(names[:_LISTED]))}{', ...' if len(names) > _LISTED else ''}"
        for what, names in (
            ("video(s) without a reference", found.alone),
            ("reference(s) without a video", found.unused),
        )
        if names
    ]


def _of_tiny_weights(summaries: Sequence[MetricSummary]) -> list[str]:
    made_up = [
        item.metric
        for item in summaries
        if any(str(asset["revision"]).startswith("tiny:") for asset in item.assets.values())
    ]
    listed = ", ".join(made_up)
    return [f"The values of {listed} mean nothing: they come of small random weights."] if made_up else []
