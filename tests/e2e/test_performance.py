# SPDX-License-Identifier: Apache-2.0
"""From a measurement to a baseline, and to a slowdown that it shows: each command as the one before suggested it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from tests.conftest import Cli

BENCH = ("op=bench", "engine=mock", "model=wan21_t2v_1_3b", "prompt_index=0", "op.warmup=1", "op.runs=3")


def suggested(shown: str, op: str) -> list[str]:
    """The words of the command that was suggested."""
    [line] = [line for line in shown.splitlines() if f"fvhydra op={op} " in line]
    return shlex.split(line.partition("python -m fvhydra ")[2])


@pytest.mark.slow
def test_a_slowdown_is_seen_once_there_is_a_baseline(command: Cli, tmp_path: Path) -> None:
    def measured(dit_s: float) -> list[str]:
        done = command(*BENCH, f"engine.options.component_s={{dit_time_s: {dit_s}}}")
        assert done.code == 0, done.text
        return [*suggested(done.out, "check_perf"), f"op.mirror={tmp_path}/mirror"]

    first = command(*measured(0.1))
    assert first.code == 3 and "tiny weights: no_reference" in first.out, first.text
    words = [word for word in suggested(first.out, "reseed_perf") if not word.startswith("op.reason")]
    moved = command(*words, "op.reason=first", "op.confirm=[confirm performance reseed,upload]")
    assert moved.code == 0, moved.text
    slower = command(*measured(0.5))
    assert slower.code == 1, slower.text
    result = json.loads((tmp_path / "outputs" / "latest" / "result.json").read_text())
    verdicts = {metric["name"]: metric["verdict"] for metric in result["performance"][0]["metrics"]}
    assert verdicts["dit_time_s"] == "regression" and "op=reseed_perf" in slower.out
