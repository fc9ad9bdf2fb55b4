# SPDX-License-Identifier: Apache-2.0
"""What rounding alone does to traced tensors, which `op=parity` must allow, and what tracing costs.

Tiny families, one process. A tensor's difference is a share of its largest absolute value; the largest of all is shown.

    python benchmarks/parity.py
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

FAMILIES = ("wan21_t2v_1_3b", "ltx2", "stable_audio_open")
DTYPES = ("bfloat16", "float16")
PAIRS = 15


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        print("| family | threads, 1 and 2 | bfloat16 for float32 | float16 for float32 | tracing its stages |")
        print("| --- | --- | --- | --- | --- |")
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
    return [*found, _cost(engine, case)]


def _largest(official: list[Any], candidate: list[Any]) -> str:
    from fvhydra.parity.divergence import first_divergence

    worst = first_divergence(official, candidate, float("inf")).worst
    return "equal" if worst is None or worst.distances is None else f"{worst.distances.relative:.1e}"


def _cost(engine: Any, case: Any) -> str:
    from fvhydra.core.progress import Silent
    from fvhydra.engines.base import TraceRequest

    def seconds(call: Any) -> float:
        start = time.perf_counter()
        call()
        return time.perf_counter() - start

    pairs = [
        seconds(lambda: engine.trace(case, TraceRequest(), Silent())) / seconds(lambda: engine.generate(case, Silent()))
        for _ in range(PAIRS)
    ]
    return f"{100 * (median(pairs) - 1):+.1f} %"


if __name__ == "__main__":
    main()
