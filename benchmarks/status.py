# SPDX-License-Identifier: Apache-2.0
"""The heart-beat of a run: how much of the time of the work beside it it takes.

python benchmarks/status.py

The work is a loop of Python that never lets go of the interpreter's lock, which is the worst case: a beat always waits
for it and is always waited for. It tells of a step every 10 ms. Blocks of work with and without a heart-beat
alternate; what is compared is the CPU time that the same number of rounds takes.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median

from timing import markdown

from fvhydra.core.run import RunFolder
from fvhydra.core.status import PERIOD_S, LiveStatus

TARGET = 0.005
PAIRS = 12
ROUNDS = 300
BEATS = 200


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        run = RunFolder(Path(name) / "run")
        run.start(op="generate", model="m", title="", command=[], config={})
        run.stage("generate", 0, "a prompt")
        ratios = [_worked(run.live, beating=True) / _worked(run.live, beating=False) for _ in range(PAIRS)]
        began = time.process_time()
        for _ in range(BEATS):
            run.live.write()
        each_s = (time.process_time() - began) / BEATS
    within = each_s / PERIOD_S
    print(
        markdown(
            ("what", "measured", "target"),
            [
                ("CPU of a beat, of a second of work", f"{within:.3%}", f"< {TARGET:.1%}"),
                ("the same work with and without, CPU, median", f"{median(ratios) - 1:+.2%}", "within the noise"),
            ],
        )
    )
    assert within < TARGET


def _worked(live: LiveStatus, beating: bool) -> float:
    """CPU seconds of the process for a fixed amount of work."""
    if beating:
        with live.beating():
            return _worked(live, beating=False)
    began = time.process_time()
    for step in range(ROUNDS):
        live.step(step, ROUNDS)
        sum(number * number for number in range(100_000))
    return time.process_time() - began


if __name__ == "__main__":
    main()
