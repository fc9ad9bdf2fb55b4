# SPDX-License-Identifier: Apache-2.0
"""How often the performance gate and the A/B comparison cry wolf, and how often they see a slowdown, simulated.

python benchmarks/honesty.py

A history has five records, each the median of its runs; then one more is measured and checked. All times of it are
slower by the same share. A run's times scatter by the noise (normal, each component by itself), and each record's by
half of that again, which all of its runs share: another day, another host. Nothing is measured here; the gate is ours,
with its thresholds and its bootstrap, and beside it the same without single runs, by medians alone.

Of an A/B, both sides run in turn (A B B A) and have a slow drift in common, a random walk whose step is a quarter of
the noise.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from statistics import median

import numpy as np
from timing import markdown

from fvhydra.core.performance import PerfComparison
from fvhydra.core.verdict import Verdict
from fvhydra.performance.conditions import RunConditions
from fvhydra.performance.gate import check
from fvhydra.performance.history import WINDOW, History
from fvhydra.performance.interleave import turns
from fvhydra.performance.measure import Run
from fvhydra.performance.ratio import ratios
from fvhydra.performance.record import PerfRecord
from fvhydra.performance.samples import MEASURED

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


def checks(count: int, known: bool, noise: float, slower: float, repetitions: int) -> Iterator[PerfComparison]:
    """What the gate says, over and over."""
    draw = np.random.default_rng(7)
    for _ in range(repetitions):
        old = [record(day, runs(draw, count, noise, 0.0)) for day in range(1, WINDOW + 1)]
        samples = runs(draw, count, noise, slower)
        new = record(WINDOW + 1, samples)
        yield check(new, History.of_records(old), samples=samples if known else None)


def rows(repetitions: int) -> Iterator[tuple[str, ...]]:
    for count, known in WAYS:
        for noise in NOISES:
            cells = []
            for slower in SLOWER:
                found = Counter(each.verdict for each in checks(count, known, noise, slower, repetitions))
                regressed, unsure = (found[each] / repetitions for each in (Verdict.REGRESSION, Verdict.INCONCLUSIVE))
                cells.append(f"{regressed:.0%}" + (f" ({unsure:.0%})" if known else ""))
            yield f"{noise:.0%}", f"{count} runs" if known else "medians alone", *cells


def unsure_rows(repetitions: int) -> Iterator[tuple[str, ...]]:
    """How often each metric of an unchanged record leaves it open, with 5 runs."""
    for noise in NOISES:
        found = Counter(
            metric.name
            for each in checks(5, True, noise, 0.0, repetitions)
            for metric in each.metrics
            if metric.verdict is Verdict.INCONCLUSIVE
        )
        yield f"{noise:.0%}", *(f"{found[name] / repetitions:.0%}" for name in ("latency", "throughput", *SECONDS))


# ------------------------------------------------------------------------------------------------------------------ A/B
PAIRS = (10, 20)
AB_NOISES = (0.003, 0.01, 0.03, 0.05)
DRIFT = 0.25
"""Step of what both sides have in common, a random walk from run to run, as a share of the noise."""


def claims(pairs: int, noise: float, slower: float, repetitions: int) -> tuple[int, int]:
    """How often latency is claimed to be worse, and how often anything at all is."""
    draw = np.random.default_rng(11)
    worse = anything = 0
    for _ in range(repetitions):
        walk = iter(1 + np.cumsum(draw.normal(0, noise * DRIFT, 2 * pairs)))
        sides: tuple[list[Run], list[Run]] = ([], [])
        for turn in turns(pairs):
            shared = next(walk) * (1 + slower * turn)
            sides[turn].append(_run(draw, shared, noise))
        found = ratios(sides[1], sides[0])
        worse += any(each.claim == "worse" for each in found if each.name == "latency")
        anything += any(each.claim for each in found)
    return worse, anything


def _run(draw: np.random.Generator, shared: float, noise: float) -> Run:
    parts: dict[str, float | None] = {
        name: float(seconds * shared * (1 + draw.normal(0, noise))) for name, seconds in SECONDS.items()
    }
    latency = OTHER_S + sum(each or 0.0 for each in parts.values())
    values = {"latency": latency, "throughput": FRAMES / latency, "memory": MEMORY_MB, "other_time_s": OTHER_S}
    return Run(1, MEASURED, parts | values, {}, RunConditions())


def ab_rows(repetitions: int) -> Iterator[tuple[str, ...]]:
    for pairs in PAIRS:
        for noise in AB_NOISES:
            _, anything = claims(pairs, noise, 0.0, repetitions)
            found = [claims(pairs, noise, slower, repetitions)[0] for slower in SLOWER[1:]]
            yield f"{noise:.1%}", f"{pairs} pairs", *(f"{each / repetitions:.0%}" for each in (anything, *found))


def main() -> None:
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else REPETITIONS
    shares = [f"{slower:.0%} slower" for slower in SLOWER[1:]]
    print(f"Regressions found, and in brackets inconclusive, of {repetitions} checks each:\n")
    print(markdown(["noise", "decided by", "unchanged", *shares], list(rows(repetitions))))
    print(f"\nInconclusive, of {repetitions} unchanged records of 5 runs each, by metric:\n")
    print(markdown(["noise", "latency", "throughput", *SECONDS], list(unsure_rows(repetitions))))
    print(f"\nTwo sides in turn, anything claimed of equal ones, latency of a slower one, of {repetitions} each:\n")
    print(markdown(["noise", "runs", "equal", *shares], list(ab_rows(repetitions))))


if __name__ == "__main__":
    main()
