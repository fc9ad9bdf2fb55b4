# SPDX-License-Identifier: Apache-2.0
"""``op=bench``: how fast one case is generated and what memory it takes, as a performance record."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from fvhydra.config.op import BenchConfig
from fvhydra.config.root import Config
from fvhydra.core import files
from fvhydra.core.architecture import architecture_of
from fvhydra.core.case import Case
from fvhydra.core.errors import InfrastructureError
from fvhydra.core.performance import PerfMeasurement
from fvhydra.core.result import NextCommand, RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.engines.base import Engine
from fvhydra.engines.choice import check_engine, open_engine
from fvhydra.ops.base import Op
from fvhydra.ops.bench_sides import check_sides, compare_sides, first_case, left_out
from fvhydra.ops.context import Context, Prepared
from fvhydra.ops.generation import flat, load_request, record_cases
from fvhydra.ops.job_inputs import JobInputs, inputs_of_cases
from fvhydra.performance.chosen import BenchmarkJob, benchmark_job
from fvhydra.performance.gate import LEAST_RUNS
from fvhydra.performance.made import Surroundings, perf_record
from fvhydra.performance.measure import FURTHER, Run, kinds, measure, memory_source, samples, warnings
from fvhydra.performance.names import RUN_FOLDER, normalized_name, samples_path
from fvhydra.performance.record import COMPONENTS, METRICS, PerfRecord
from fvhydra.performance.samples import MEASURED, write_samples

WARMUP, RUNS = 2, 5
"""How often where neither the command nor the benchmark says."""

OTHER = "other_time_s"
_HEADLINE = ("latency", "throughput", "memory")


class Bench(Op):
    """Generate the first case again and again, from prompt to decoded output; nothing of it is kept but the numbers."""

    config: BenchConfig

    def preflight(self, context: Context) -> None:
        """Refuse what cannot run, and a benchmark that says otherwise than the command."""
        job = self._job(context)
        here = context.config.launcher.same_environment
        check_engine(job.config, here=here)
        first_case(job.config)
        if self.config.against is not None:
            check_sides(job.config, self.config.against, here)

    def inputs(self, prepared: Prepared) -> dict[str, str]:
        """Also the benchmark's file."""
        given = self.config.benchmark_file
        path = None if given is None else files.given_path(given)
        named = {str(path): files.sha256_file(path)} if path is not None and path.is_file() else {}
        return prepared.file_digests | named

    def job_inputs(self, context: Context) -> JobInputs:
        """Also the benchmark's file."""
        inputs = inputs_of_cases(context.config, context.store)
        if self.config.benchmark_file is None:
            return inputs
        path = files.given_path(self.config.benchmark_file).absolute()
        config = replace(inputs.config, op=replace(self.config, benchmark_file=str(path)))
        return replace(inputs, config=config, files={**inputs.files, path: None})

    def plan(self, context: Context) -> RunResult:
        """What it would measure; of random weights how many and how large they are."""
        job = self._job(context)
        wanted = self._kinds(job)
        counted = wanted.count(MEASURED)
        said = f"{job.benchmark.benchmark_id}: {counted} run(s) after {len(wanted) - counted}."
        if job.config.tier.weights == "synthetic":
            said = f"{said} {_estimate(job.config)}"
        return RunResult(self.config.name, Verdict.DONE, said, context.config.model.name)

    def run(self, context: Context) -> RunResult:
        """Leave a record, and the single runs beside it; of two sides the single runs of both."""
        job = self._job(context)
        if self.config.against is not None:
            return compare_sides(context, job, self.config)
        case = first_case(job.config)
        record_cases(context, [case])
        runs: list[Run] = []
        engine = open_engine(job.config.engine, context.run.stdout_log)
        try:
            context.progress.stage("load", msg=f"{job.config.model.model_id} with {job.config.engine.name}")
            start = time.perf_counter()
            engine.load(load_request(job.config, [case]), context.progress)
            load_s = time.perf_counter() - start
            runs = measure(engine, case, self._kinds(job), context.progress)
            where = surroundings(engine, case)
        except InfrastructureError as error:
            failed = Surroundings(environment=engine.environment(), procedural=engine.capabilities.procedural)
            self._keep(context, perf_record(job, case, [], failed, self.config.ci), [], {"error": error.message})
            raise
        finally:
            engine.close()
        context.run.update_manifest(environment=dict(where.environment) | flat(dict(where.facts)))
        record = perf_record(job, case, runs, where, self.config.ci)
        ceilings = job.benchmark.ceilings(record.gpu_type)
        facts = {"load_s": load_s, "memory_source": memory_source(runs), "ceilings": ceilings}
        self._keep(context, record, runs, facts)
        return RunResult(
            op=self.config.name,
            model=context.config.model.name,
            verdict=Verdict.DONE,
            message=_headline(record, runs),
            measurements=measurements(runs),
            notes=[
                *warnings(runs),
                *_said_of(job),
                *_too_few(runs),
                *left_out(job),
                f"Memory is that of {_MEMORY[memory_source(runs)]}.",
            ],
            next_commands=_following(context),
            details={"record": context.run.relative(_record_file(context, record)), "load_s": load_s},
        )

    def _job(self, context: Context) -> BenchmarkJob:
        return benchmark_job(context.config, self.config.benchmark_file, context.overrides)

    def _kinds(self, job: BenchmarkJob) -> list[str]:
        declared = job.benchmark.run_config
        warmup = self.config.warmup or declared.num_warmup_runs or (1 if declared.num_warmup_runs == 0 else WARMUP)
        return kinds(warmup, self.config.runs or declared.num_measurement_runs or RUNS)

    def _keep(self, context: Context, record: PerfRecord, runs: Sequence[Run], facts: dict[str, Any]) -> None:
        path = _record_file(context, record)
        files.write_json(path, dict(record.fields))
        write_samples(samples_path(path), runs, facts)


def surroundings(engine: Engine, case: Case) -> Surroundings:
    """Where an engine that has run is running."""
    procedural = engine.capabilities.procedural
    devices = engine.devices() if case.gpu.count else []
    environment = engine.environment(gpu=case.gpu.count > 0 and not procedural)
    return Surroundings(engine.facts(), environment, devices, procedural)


def measurements(runs: Sequence[Run]) -> list[PerfMeasurement]:
    """The table of runs: medians and their range, each component's share of the latency."""
    latency = samples(runs, "latency")
    found = []
    for name in (*METRICS, *FURTHER):
        if not (values := samples(runs, name)):
            continue
        metric = METRICS.get(name)
        part = name in (*COMPONENTS, OTHER)
        found.append(
            PerfMeasurement(
                name=name,
                title=metric.title if metric else FURTHER[name],
                unit=metric.unit if metric else "s",
                median=median(values),
                samples=values,
                share=median(values) / median(latency) if part and latency else None,
            )
        )
    return found


_MEMORY = {
    "cuda": "the fullest device, as its allocator counts it",
    "process tree": "the engine's processes, resident",
    None: "nobody: it was not measured",
}


def _record_file(context: Context, record: PerfRecord) -> Any:
    return context.run.path / RUN_FOLDER / normalized_name(record)


def _headline(record: PerfRecord, runs: Sequence[Run]) -> str:
    count = len([run for run in runs if run.kind == MEASURED])
    parts = [f"{value:.4g} {METRICS[name].unit}" for name in _HEADLINE if (value := record.value(name)) is not None]
    return f"{record.model_id} on {record.gpu_type}: {', '.join(parts)} (median of {count})."


def _too_few(runs: Sequence[Run]) -> list[str]:
    """A sentence on what op=check_perf will make of so few."""
    count = len([run for run in runs if run.kind == MEASURED])
    if count >= LEAST_RUNS:
        return []
    return [f"op=check_perf is inconclusive after {count} run(s); op.runs={LEAST_RUNS} or more are compared."]


def _said_of(job: BenchmarkJob) -> list[str]:
    said = []
    if not job.declared:
        said.append(
            f"No benchmark was chosen, so the id {job.benchmark.benchmark_id} is derived and in no shared baseline; "
            "benchmark= or op.benchmark_file= chooses one."
        )
    if job.config.tier.weights != "hub":
        said.append(f"The weights are {job.config.tier.weights}: the record is compared with none of real weights.")
    return said


def _estimate(config: Config) -> str:
    architecture = architecture_of(config.model)
    sizes = architecture.weight_bytes(config.model)
    parts = ", ".join(f"{name} {size / 2**30:.1f}" for name, size in sorted(sizes.items(), key=lambda item: -item[1]))
    total, most = (size / 2**30 for size in (sum(sizes.values()), max(sizes.values())))
    return (
        f"{architecture.parameters / 1e9:.2f} G parameters; weights take {total:.1f} GiB ({parts}), "
        f"{most:.1f} GiB at a time with engine.options.offload=model; activations come on top."
    )


def _following(context: Context) -> list[NextCommand]:
    words = ["python", "-m", "fvhydra", "op=check_perf", f"run={context.run.path}"]
    return [NextCommand("To compare it with its baseline", shlex.join(words))]
