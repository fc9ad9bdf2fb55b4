# SPDX-License-Identifier: Apache-2.0
"""How well steps are found in simulated histories, and how long ten thousand records take.

python benchmarks/perf_history.py [repetitions]

A history has values of normal noise around 10; one in fifty is an outlier, half as much again. At two thirds of it all
values may become larger by the same share. A step counts as found within three values of where it is. The ten thousand
records are real files in a local store of its own, brought into a mirror, read, charted and written as a page.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from timing import markdown

from fvhydra.cli import run
from fvhydra.config.store import LocalStoreConfig
from fvhydra.performance.names import record_path
from fvhydra.performance.record import PerfRecord
from fvhydra.performance.steps import find_steps
from fvhydra.stores.local import LocalStore

REPETITIONS = 100
NOISES = (0.01, 0.03, 0.05)
VALUES = (30, 100)
STEPS = (0.05, 0.10, 0.20)
OUTLIERS, OUTLIER = 0.02, 1.5
NEAR = 3
RECORDS, SERIES = 10_000, 10


def values(seed: int, noise: float, count: int, step: float) -> list[float]:
    """A history, in order."""
    draw = np.random.default_rng(seed)
    found = 10 * (1 + noise * draw.normal(size=count))
    found[draw.random(count) < OUTLIERS] *= OUTLIER
    found[2 * count // 3 :] *= 1 + step
    return [float(value) for value in found]


def rows(repetitions: int) -> Iterator[tuple[str, ...]]:
    for noise in NOISES:
        for count in VALUES:
            false = sum(bool(find_steps(values(seed, noise, count, 0.0))) for seed in range(repetitions))
            cells = [f"{false / repetitions:.0%}"]
            for step in STEPS:
                found = [find_steps(values(seed, noise, count, step)) for seed in range(repetitions)]
                right = sum(any(abs(index - 2 * count // 3) <= NEAR for index in each) for each in found)
                cells.append(f"{right / repetitions:.0%}")
            yield f"{noise:.0%}", str(count), *cells


def many(folder: Path) -> None:
    """A store of many records of several models."""
    draw, start = np.random.default_rng(0), datetime(2024, 1, 1, tzinfo=UTC)
    adds = {}
    for index in range(RECORDS):
        seconds = 10 * (1 + 0.01 * float(draw.normal()))
        fields = {
            "model_id": f"model-{index % SERIES}",
            "gpu_type": "simulated",
            "timestamp": (start + timedelta(hours=index)).isoformat(),
            "commit_sha": f"{index:040x}",
            "latency": seconds,
            "throughput": 45 / seconds,
            "memory": 10_000.0,
            "dit_time_s": 0.7 * seconds,
            "success": True,
        }
        adds[record_path(PerfRecord(fields))] = json.dumps(fields).encode()
    LocalStore(LocalStoreConfig(_target_="", name="local", path=str(folder / "store"))).commit(adds, message="many")


def main() -> None:
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else REPETITIONS
    print(f"Steps found in {repetitions} histories each:\n")
    head = ["noise", "values", "a step where there is none", *(f"{step:.0%} found" for step in STEPS)]
    print(markdown(head, list(rows(repetitions))))
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        many(Path(name))
        for what in ("for the first time", "again"):
            began, used = time.perf_counter(), time.process_time()
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                code = run(("op=perf_history", "store.path=store", "op.mirror=mirror"))
            assert code == os.EX_OK
            took, worked = time.perf_counter() - began, time.process_time() - used
            print(f"op=perf_history of {RECORDS:,} records {what}: {took:.1f} s, {worked:.1f} s of a CPU")


if __name__ == "__main__":
    main()
