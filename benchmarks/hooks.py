# SPDX-License-Identifier: Apache-2.0
"""What the hooks that time components cost: a pipeline's call with them and without, in turn.

One process, the same loaded tiny LTX-2; calls of a few seconds, A B B A.

    python benchmarks/hooks.py
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from wrapping import loaded

TARGET_PERCENT = 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--steps", type=int, default=40)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), arguments.pairs, arguments.steps)


def measure(folder: Path, pairs: int, steps: int) -> None:
    import torch

    from fvhydra.core.progress import Silent
    from fvhydra.engines.pipeline import times
    from fvhydra.performance.interleave import turns
    from fvhydra.performance.ratio import interval

    case, engine = loaded(folder, steps)
    arguments = engine.generate(case, Silent()).arguments  # and warms up
    pipe = engine._loaded.pipe

    def bare() -> None:
        pipe(**arguments, generator=torch.Generator("cpu").manual_seed(case.seed))

    def hooked() -> None:
        with times.measured(pipe, "cpu"):
            bare()

    ways: tuple[Any, Any] = (hooked, bare)
    ways[0](), ways[1]()
    walls: tuple[list[float], list[float]] = ([], [])
    for turn in turns(pairs):
        start = time.process_time()  # of the CPU: what others do on the machine is not in it
        ways[turn]()
        walls[turn].append(time.process_time() - start)
    logs = [math.log(a / b) for a, b in zip(*walls, strict=True)]
    low, high = (100 * (math.exp(end) - 1) for end in interval(logs, 0.95))
    print(f"Tiny LTX-2, {steps} steps, {pairs} pairs of calls in turn, CPU time of the process")
    print(f"with hooks {median(walls[0]):.3f} s, without {median(walls[1]):.3f} s")
    print(f"hooks cost {100 * (math.exp(median(logs)) - 1):+.2f} % (95 % interval {low:+.2f} to {high:+.2f} %)")
    with times.measured(pipe, "cpu") as seconds:
        calls = _calls(pipe)
        bare()
    each, count = _cost_of_one(), sum(calls.values())
    share = 100 * each * count / seconds["total_s"]
    print(f"by itself a hooked call costs {1e6 * each:.1f} µs more; {count} of them in {seconds['total_s']:.2f} s")
    print(f"so hooks cost {share:.3f} %")
    print(f"Target: at most {TARGET_PERCENT} %")


def _calls(pipe: Any) -> dict[str, int]:
    """How often the components that are hooked will have been called."""
    import torch

    counted: dict[str, int] = {}
    for name, part in pipe.components.items():
        if isinstance(part, torch.nn.Module):
            part.register_forward_hook(lambda *_, name=name: counted.update({name: counted.get(name, 0) + 1}))
    return counted


def _cost_of_one(calls: int = 20_000) -> float:
    """Seconds that the hooks add to a call of a module that does nothing."""
    from types import SimpleNamespace

    import torch

    from fvhydra.engines.pipeline import times

    network = torch.nn.Identity()
    empty: Any = SimpleNamespace(components={"transformer": network})

    def taken() -> float:
        start = time.process_time()
        for _ in range(calls):
            network(None)
        return (time.process_time() - start) / calls

    without = min(taken() for _ in range(5))
    with times.measured(empty, "cpu"):
        return min(taken() for _ in range(5)) - without


if __name__ == "__main__":
    main()
