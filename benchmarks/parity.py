# SPDX-License-Identifier: Apache-2.0
"""What rounding alone does to traced tensors, which `op=parity` must allow, and what tracing costs.

Tiny families, one process. A tensor's difference is a share of its largest absolute value; the largest of all is shown.

    python benchmarks/parity.py
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

FAMILIES = ("wan21_t2v_1_3b", "ltx2", "stable_audio_open")
DTYPES = ("bfloat16", "float16")
PAIRS = 25
STEPS = 4
BLOCKS = r"^transformer\.[^.]+\.\d+$"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        columns = ["family", "threads, 1 and 2", *(f"{name} for float32" for name in DTYPES)]
        columns += ["a generation", "tracing its stages, with rows, a row", "with its blocks"]
        print(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
        for family in FAMILIES:
            print(f"| {family} | {' | '.join(measure(family, Path(folder)))} |", flush=True)


def measure(family: str, folder: Path) -> list[str]:
    import torch

    from fvhydra.core.progress import Silent
    from fvhydra.engines.base import TraceRequest
    from fvhydra.engines.diffusers import DiffusersEngine
    from fvhydra.engines.quiet import quiet_libraries
    from fvhydra.testing import cases

    case = cases.case(family)

    def loaded(**changes: Any) -> DiffusersEngine:
        engine = DiffusersEngine(cases.engine_config("diffusers"))
        engine.load(cases.request(family, folder, **changes), Silent())
        return engine

    engine = loaded(threads=1)
    usual = engine.trace(case, TraceRequest(), Silent()).rows
    found = [_largest(usual, loaded(threads=2).trace(case, TraceRequest(), Silent()).rows)]
    torch.set_num_threads(1)
    for name in DTYPES:
        other = loaded(threads=1)
        assert other._loaded is not None
        try:
            with quiet_libraries():
                other._loaded.pipe.to(getattr(torch, name))
            found.append(_largest(usual, other.trace(case, TraceRequest(), Silent()).rows))
        except (RuntimeError, TypeError) as error:
            found.append(f"does not run ({type(error).__name__})")
    return [*found, *_cost(engine, replace(case, sampling=replace(case.sampling, num_inference_steps=STEPS)))]


def _largest(official: list[Any], candidate: list[Any]) -> str:
    from fvhydra.parity.divergence import first_divergence

    worst = first_divergence(official, candidate, float("inf")).worst
    return "equal" if worst is None or worst.distances is None else f"{worst.distances.relative:.1e}"


def _cost(engine: Any, case: Any) -> list[str]:
    """What tracing adds to a generation in turn with ones that are not traced: while it runs, and with the rows made.

    One thread computes everything, and its own time is taken: what else a machine does changes it little.
    """
    from fvhydra.core.progress import Silent
    from fvhydra.engines.base import TraceRequest
    from fvhydra.engines.pipeline.trace import Tracer

    def generate(tracer: Any) -> tuple[float, float, int]:
        start = time.thread_time()
        engine._loaded.generate(case, Silent(), *([tracer.attached] if tracer else []))
        ran = time.thread_time()
        rows = len(tracer.rows) if tracer else 0
        return ran - start, time.thread_time() - ran, rows

    cells = []
    for modules in "", BLOCKS:
        found = []
        for _ in range(PAIRS):
            plain_s, _, _ = generate(None)
            found.append((plain_s, *generate(Tracer(TraceRequest(modules=modules)))))
        plain_s = median(plain for plain, *_ in found)
        during = median(traced / plain - 1 for plain, traced, *_ in found)
        whole = median((traced + making) / plain - 1 for plain, traced, making, _ in found)
        cells.append(f"{100 * during:+.1f} %, {100 * whole:+.1f} %, {1e6 * whole * plain_s / found[0][-1]:.0f} us")
    return [f"{1000 * plain_s:.0f} ms", *cells]


if __name__ == "__main__":
    main()
