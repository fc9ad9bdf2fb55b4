# SPDX-License-Identifier: Apache-2.0
"""Measuring generations of one case, one after the other."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median

from fvhydra.core.case import Case
from fvhydra.core.progress import Progress
from fvhydra.engines import measured
from fvhydra.engines.base import COMPONENTS, PROCESS_TREE, Engine, GeneratedMedia
from fvhydra.performance.conditions import RunConditions, Watch, moved
from fvhydra.performance.samples import MEASURED

FIRST, WARMUP = "first", "warmup"
"""Kinds of runs that do not count. The first one after loading compiles and searches for kernels, and is kept apart."""

VALUES = ("latency", "throughput", "memory", *COMPONENTS, "other_time_s", "cpu_time_s")
"""What is known of a run, by the names of performance records; ``other_time_s`` is what no component accounts for."""
FURTHER = {"other_time_s": "everything else", "cpu_time_s": "CPU time"}
"""Those of them, in s, that are in no table of METRICS, with what people read."""


@dataclass(frozen=True)
class Run:
    """One generation, measured.

    Attributes:
        number: From 1, in the order in which they ran.
        kind: ``first``, ``warmup`` or ``measured``.
        values: Of :data:`VALUES`: ``latency`` in s from prompt to decoded output, ``throughput`` in frames a second
            (None for sound), ``memory`` the peak in MB (2**20 bytes) of the device that holds most, components in s,
            and ``cpu_time_s`` of the engine's processes, where no GPU does the work. None is what was not measured.
        memory_mb: Peak of each device, or of the process tree.
        conditions: Under which it ran.
        moved: In what its conditions were others than those of the other measured runs.
    """

    number: int
    kind: str
    values: dict[str, float | None]
    memory_mb: dict[str, float]
    conditions: RunConditions
    moved: tuple[str, ...] = ()


def kinds(warmup: int, runs: int) -> list[str]:
    """The kinds of runs, in order: ``warmup`` runs, of which the first is always there, and then ``runs``."""
    return [FIRST, *[WARMUP] * (warmup - 1), *[MEASURED] * runs]


def measure(engine: Engine, case: Case, wanted: Sequence[str], progress: Progress) -> list[Run]:
    """Generate the case once for each of the kinds of runs that are wanted, see :func:`kinds`.

    Args:
        engine: With the model loaded.
    """
    return marked([measure_run(engine, case, number, kind, progress) for number, kind in enumerate(wanted, 1)])


def measure_run(engine: Engine, case: Case, number: int, kind: str, progress: Progress, side: str = "") -> Run:
    """Generate the case once. What is generated is given up; ``side`` is whose run it is, where there are two."""
    progress.stage("generate", case.index, f"{side} {kind} run {number}".strip())
    gc.collect()  # now, and not while the clock runs
    watch = Watch(gpus=case.gpu.count > 0)
    start = time.perf_counter()
    media = measured.generate(engine, case, progress)
    elapsed = time.perf_counter() - start
    values = _values(media, elapsed)
    if case.gpu.count:
        values["cpu_time_s"] = None  # what the host does meanwhile is mostly waiting
    return Run(number, kind, values, media.memory_mb, watch.ended())


def marked(runs: Sequence[Run]) -> list[Run]:
    """The same runs, those that are measured with what moved between them."""
    found = iter(moved([run.conditions for run in runs if run.kind == MEASURED]))
    return [replace(run, moved=tuple(next(found))) if run.kind == MEASURED else run for run in runs]


def medians(runs: Sequence[Run]) -> dict[str, float | None]:
    """The median of each value over the measured runs; None where one of them lacks it."""
    return {name: median(values) if (values := samples(runs, name)) else None for name in VALUES}


def samples(runs: Sequence[Run], name: str) -> list[float]:
    """A value of each measured run; empty where one of them lacks it."""
    values = [run.values[name] for run in runs if run.kind == MEASURED]
    return [value for value in values if value is not None] if None not in values else []


def memory_source(runs: Sequence[Run]) -> str | None:
    """Whose memory the runs tell: ``cuda`` (its allocator) or ``process tree`` (resident); None where nobody's."""
    names = {name for run in runs for name in run.memory_mb}
    return None if not names else PROCESS_TREE if PROCESS_TREE in names else "cuda"


def warnings(runs: Sequence[Run]) -> Iterator[str]:
    """Sentences on what makes the numbers less than they look."""
    those = [run for run in runs if run.kind == MEASURED]
    if apart := [run for run in those if run.moved]:
        told = "; ".join(f"run {run.number}: {', '.join(run.moved)}" for run in apart[:3])
        more = f"; and {len(apart) - 3} more" if len(apart) > 3 else ""
        yield f"Conditions moved in {len(apart)} of {len(those)} measured run(s) ({told}{more})."
    rest = [value for value in samples(runs, "other_time_s") if value < 0]
    if rest:
        yield (
            f"Component times add up to more than the whole, by up to {-min(rest):.3g} s: a component is counted twice."
        )
    absent = [name for name in COMPONENTS if those and all(run.values[name] is None for run in those)]
    if absent and len(absent) < len(COMPONENTS):
        yield f"No time was told for {', '.join(absent)}; it is in other_time_s."


def _values(media: GeneratedMedia, elapsed: float) -> dict[str, float | None]:
    latency = media.seconds.get("total_s", elapsed)
    frames = None if media.frames is None else len(media.frames)
    components = {name: media.seconds.get(name) for name in COMPONENTS}
    known = [value for value in components.values() if value is not None]
    return {
        "latency": latency,
        "throughput": frames / latency if frames and latency > 0 else None,
        "memory": max(media.memory_mb.values(), default=None),
        **components,
        "other_time_s": latency - sum(known) if known else None,
        "cpu_time_s": media.cpu_s,
    }
