# SPDX-License-Identifier: Apache-2.0
"""Performance records, their single runs, benchmarks and histories, as a stranger may have written them."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

from fvhydra.performance.names import record_path, samples_path
from fvhydra.performance.samples import SampleRun, write_samples
from tests.fuzz.mutations import become_no_file, json_mutated
from tests.fuzz.place import Place
from tests.performance.making import IDENTITY, local_store, record, with_identity
from tests.performance.test_benchmark import WAN

_CHECK = ("op=check_perf", "op.results=normalized_perf_a.json", "op.benchmark_file=benchmark.json", "op.record=always")


def record_or_history(dice: random.Random, place: Place, template: Path) -> Counter[str]:
    """One of the files that a check reads, with other values, or no file at all; or a record in a store."""
    place.make()
    make = dice.choice((record, with_identity))
    now = make(9, benchmark_version="3", regression_thresholds={"latency": {"gated": True}})
    path = place.work / "normalized_perf_a.json"
    path.write_text(json.dumps(now.fields))
    write_samples(samples_path(path), [SampleRun("measured", {"latency": 10.0 + run}) for run in range(3)])
    (place.work / "benchmark.json").write_text(json.dumps(WAN | {"benchmark_id": "toy-1gpu"} | dict(IDENTITY)))
    history = [make(day) for day in range(1, 5)]
    which = dice.choice(("record", "samples", "benchmark", "history"))
    odd = {}
    if which == "history":
        odd = {record_path(each): json_mutated(json.dumps(each.fields).encode(), dice) for each in (make(5), make(6))}
    else:
        chosen = {"record": path, "samples": samples_path(path), "benchmark": place.work / "benchmark.json"}[which]
        if dice.random() < 0.2:
            become_no_file(chosen, dice, place.outside)
        else:
            chosen.write_bytes(json_mutated(chosen.read_bytes(), dice))
    local_store(place.work / "store", history, **odd)
    words = (*_CHECK, *(("op.confirm=upload",) if dice.random() < 0.5 else ()))
    return Counter([place.tried(words, PERFORMANCE_TRACKING_ROOT=str(place.root / "mirror"))])
