# SPDX-License-Identifier: Apache-2.0
"""``op=parity`` on traces that were recorded before: ours, FastVideo's, and with names that differ."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fvhydra.core.progress import Silent
from fvhydra.engines.base import Trace, TraceRequest
from fvhydra.engines.diffusers import DiffusersEngine
from fvhydra.parity.trace_file import write_trace
from fvhydra.testing import cases
from tests.conftest import Cli
from tests.ops.folders import latest_of

WAN = "wan21_t2v_1_3b"


@pytest.fixture(scope="module")
def trace(cache_dir: Path) -> Trace:
    engine = DiffusersEngine(cases.engine_config("diffusers"))
    engine.load(cases.request(WAN, cache_dir), Silent())
    return engine.trace(cases.case(WAN), TraceRequest(modules=r"^transformer\."), Silent())


def compared(cli: Cli, folder: Path, *words: str) -> tuple[Any, dict[str, Any]]:
    command = cli("op=parity", "op.official_trace=official.jsonl", "op.trace=candidate.jsonl", *words)
    [case] = latest_of(folder)["parity"]["cases"]
    return command, case


def written(folder: Path, trace: Trace, rename: Callable[[str], str] = str, step_off: int | None = None) -> None:
    """Both sides; the candidate's with other names, and one step of a block off by a hundredth."""
    write_trace(folder / "official.jsonl", trace)
    rows = [replace(row, module=rename(row.module)) for row in trace.rows]
    for row in rows:
        if row.step == step_off is not None and row.module.endswith("blocks.1") and row.abs_mean is not None:
            row.abs_mean, row.sha256 = row.abs_mean * 1.01, "0" * 64
    write_trace(folder / "candidate.jsonl", Trace(trace.media, rows))


def test_two_recorded_traces_are_compared_without_generating(cli: Cli, tmp_path: Path, trace: Trace) -> None:
    written(tmp_path, trace, step_off=1)
    command, case = compared(cli, tmp_path)
    assert command.code == 1, command.text
    assert case["first"]["place"] == "transformer.blocks.1 out, step 1" and case["first"]["stage"] == "denoising"
    assert case["compared"] == len(trace.rows) and case["proposed"] == {}
    assert not (tmp_path / "outputs" / "latest" / "traces").exists()
    written(tmp_path, trace)
    command, case = compared(cli, tmp_path)
    assert command.code == 0 and case["equal"] == len(trace.rows), command.text


def test_names_that_differ_are_proposed_and_not_applied(cli: Cli, tmp_path: Path, trace: Trace) -> None:
    def rename(name: str) -> str:
        return name.replace("transformer.", "dit.").replace("blocks", "layers").replace("attn1", "self_attn")

    written(tmp_path, trace, rename)
    command, case = compared(cli, tmp_path)
    assert command.code == 1 and case["first"]["what"] == "missing", command.text
    proposed = case["proposed"]
    assert proposed["dit.layers"] == "transformer.blocks" and len(proposed) < 12, proposed
    assert not any(name.startswith(("noise", "scheduler")) for name in proposed)
    page = (tmp_path / "outputs" / "latest" / "report" / "index.html").read_text()
    assert "<code>dit.layers</code>" in page
    [follow] = latest_of(tmp_path)["next_commands"]
    words = shlex.split(follow["command"])[3:]
    assert words[-1].startswith("op.names={")
    again = cli(*words)
    [case] = latest_of(tmp_path)["parity"]["cases"]
    assert again.code == 0 and case["equal"] == case["compared"] == len(trace.rows), again.text


def fastvideo(folder: Path, name: str, stats: tuple[str, ...], off: float = 0.0) -> None:
    """A file as FastVideo appends it: two branches of guidance a step, modules inside its transformer."""
    lines = []
    for step in range(3):
        for branch in range(2):
            for block in range(2):
                changed = off if (step, branch, block) == (1, 1, 0) else 0.0
                found = {"abs_mean": 0.5 + changed, "sum": 3.0, "min": -2.0, "max": 1.5, "shape": [2, 8]}
                row = {"module": f"blocks.{block}", "tensor": "out", "step": step}
                lines.append(json.dumps(row | {key: found[key] for key in stats}))
    (folder / name).write_text("\n".join(lines))


def test_traces_of_fastvideo_are_compared(cli: Cli, tmp_path: Path) -> None:
    fastvideo(tmp_path, "official.jsonl", ("abs_mean", "sum"))
    fastvideo(tmp_path, "candidate.jsonl", ("abs_mean", "sum"), off=0.01)
    command, case = compared(cli, tmp_path)
    assert command.code == 1 and case["first"]["place"] == "transformer.blocks.0 out, step 1, call 1", command.text
    assert case["first"]["stage"] == "denoising" and case["first"]["relative"] == pytest.approx(0.02)
    command, case = compared(cli, tmp_path, "op.tolerance=0.03")
    assert command.code == 0 and case["compared"] == 12, command.text


@pytest.mark.parametrize(
    ("official", "candidate", "says"),
    [
        (
            ("abs_mean", "sum"),
            ("abs_mean",),
            "the official side has abs_mean, sum of each tensor, the candidate abs_mean.",
        ),
        (("abs_mean",), (), "no row of a trace"),
    ],
)
def test_traces_with_other_settings_are_refused(
    official: tuple[str, ...], candidate: tuple[str, ...], says: str, cli: Cli, tmp_path: Path
) -> None:
    fastvideo(tmp_path, "official.jsonl", official)
    fastvideo(tmp_path, "candidate.jsonl", candidate)
    if not candidate:
        (tmp_path / "candidate.jsonl").write_text("[]\n")
    command = cli("op=parity", "op.official_trace=official.jsonl", "op.trace=candidate.jsonl")
    assert command.code != 0 and says in command.text, command.text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("op.trace=a.jsonl",), "op.official_trace= names none"),
        (("op.trace=a.jsonl", "op.official_trace=nowhere.jsonl"), "There is no trace"),
        (("op.trace=a.jsonl", "op.official_trace=a.jsonl", "op.official={}"), "op.official= generates"),
        (("op.trace=a.jsonl", "op.official_trace=empty.jsonl"), "has no rows"),
    ],
)
def test_what_is_no_pair_of_traces_is_refused(words: tuple[str, ...], says: str, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"module": "a", "tensor": "out"}\n')
    (tmp_path / "empty.jsonl").write_text("")
    command = cli("op=parity", *words)
    assert command.code == 2 and says in command.text, command.text
