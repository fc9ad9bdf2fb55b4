# SPDX-License-Identifier: Apache-2.0
"""How often the performance gate cries wolf, and how often it sees a slowdown, over simulated histories.

python benchmarks/honesty.py

A history has five records, each the median of its runs; then one more is measured and checked. All times of it are
slower by the same share. A run's times scatter by the noise (normal, each component by itself), and each record's by
half of that again, which all of its runs share: another day, another host. Nothing is measured here; the gate is ours,
with its thresholds and its bootstrap, and beside it the same without single runs, by medians alone.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from statistics import median

import numpy as np
from timing import markdown

from fvhydra.core.verdict import Verdict
from fvhydra.performance.gate import check
from fvhydra.performance.history import WINDOW, History
from fvhydra.performance.record import PerfRecord

REPETITIONS = 200
WAYS = ((5, False), (5, True), (15, True))
"""How many runs a record has, and whether the gate knows them."""
NOISES = (0.01, 0.03, 0.05)
BETWEEN = 0.5
"""Share of the noise by which records differ beside their runs."""
SLOWER = (0.0, 0.05, 0.10, 0.20)
SECONDS = {"text_encoder_time_s": 2.0, "dit_time_s": 30.0, "vae_decode_time_s": 7.0}
OTHER_S = 1.0
FRAMES = 45
MEMORY_MB = 20_000.0


def runs(draw: np.random.Generator, count: int, noise: float, slower: float) -> dict[str, list[float]]:
    """Values of the runs of one record, by metric."""
    shared = (1 + slower) * (1 + draw.normal(0, noise * BETWEEN))
    parts = {
        name: [float(seconds * shared * (1 + each)) for each in draw.normal(0, noise, count)]
        for name, seconds in SECONDS.items()
    }
    latency = [OTHER_S + sum(each) for each in zip(*parts.values(), strict=True)]
    throughput = [FRAMES / each for each in latency]
    return parts | {"latency": latency, "throughput": throughput, "memory": [MEMORY_MB] * count}


def record(day: int, samples: dict[str, list[float]]) -> PerfRecord:
    """The record of such runs."""
    values = {name: median(values) for name, values in samples.items()}
    named = {"model_id": "simulated", "gpu_type": "none", "timestamp": f"2026-01-{day:02}", "success": True}
    return PerfRecord(named | values, f"simulated/{day}.json")


def verdicts(count: int, known: bool, noise: float, slower: float, repetitions: int) -> Counter[Verdict]:
    """What the gate says, over and over."""
    draw = np.random.default_rng(7)
    found: Counter[Verdict] = Counter()
    for _ in range(repetitions):
        old = [record(day, runs(draw, count, noise, 0.0)) for day in range(1, WINDOW + 1)]
        samples = runs(draw, count, noise, slower)
        new = record(WINDOW + 1, samples)
        found[check(new, History.of_records(old), samples=samples if known else None).verdict] += 1
    return found


def rows(repetitions: int) -> Iterator[tuple[str, ...]]:
    for count, known in WAYS:
        for noise in NOISES:
            cells = []
            for slower in SLOWER:
                found = verdicts(count, known, noise, slower, repetitions)
                regressed, unsure = (found[each] / repetitions for each in (Verdict.REGRESSION, Verdict.INCONCLUSIVE))
                cells.append(f"{regressed:.0%}" + (f" ({unsure:.0%})" if known else ""))
            yield f"{noise:.0%}", f"{count} runs" if known else "medians alone", *cells


def main() -> None:
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else REPETITIONS
    header = ["noise", "decided by", *("unchanged" if not slower else f"{slower:.0%} slower" for slower in SLOWER)]
    print(f"Regressions found, and in brackets inconclusive, of {repetitions} checks each:\n")
    print(markdown(header, list(rows(repetitions))))


if __name__ == "__main__":
    main()
