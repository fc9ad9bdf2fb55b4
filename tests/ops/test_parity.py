# SPDX-License-Identifier: Apache-2.0
"""``op=parity``: two sides on the same cases, and where they first differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fvhydra.parity.trace_file import read_trace
from tests.conftest import Cli
from tests.engines.environments import environment
from tests.ops.folders import latest_of

MODEL = ("model=wan21_t2v_1_3b", "prompt_index=0")


def parity_of(folder: Path) -> dict[str, Any]:
    [case] = latest_of(folder)["parity"]["cases"]
    found: dict[str, Any] = case
    return found


def test_another_setting_is_found_where_it_begins(cli: Cli, tmp_path: Path) -> None:
    command = cli("op=parity", *MODEL, "op.official={sampling.guidance_scale: 4.0}")
    assert command.code == 1, command.text
    case = parity_of(tmp_path)
    assert case["first"]["stage"] == "guidance"
    assert case["first"]["place"] == "scheduler.step in.model_output, step 0"
    assert [each["name"] for each in case["arguments"]] == ["guidance_scale"]
    assert [(each["name"], each["verdict"]) for each in case["targets"]] == [("frames", "regression")]
    assert (
        "The sides differ in sampling.guidance_scale" in command.text
        and "look at the scale of guidance" in command.text
    )
    rows = read_trace(tmp_path / "outputs" / "latest" / "traces" / "0_stages_official.jsonl")
    assert {"noise", "text_encoder", "scheduler.step", "vae.decode", "output"} <= {row.module for row in rows}
    page = (tmp_path / "outputs" / "latest" / "report" / "index.html").read_text()
    assert "First difference: guidance" in page and "noise_pred" not in page


@pytest.mark.slow
def test_equal_sides_pass(cli: Cli, tmp_path: Path) -> None:
    same = cli("op=parity", *MODEL, "op.official={}")
    assert same.code == 0 and "Both sides are the same." in same.text
    case = parity_of(tmp_path)
    assert case["first"] is None and case["equal"] == case["compared"] > 300


@pytest.mark.slow
def test_another_version_in_another_environment_begins_somewhere(cli: Cli, tmp_path: Path) -> None:
    there = environment("diffusers-0.38")
    command = cli("op=parity", *MODEL, f"op.official={{engine.python: {there}}}", "op.tolerance=0")
    assert command.code in (0, 1), command.text
    case = parity_of(tmp_path)
    # the two versions of transformers round attention differently, before diffusers has computed anything
    assert case["first"]["module"] == "text_encoder.encoder.block.0.layer.0.SelfAttention.o", case["first"]
    assert case["in_component"] and case["last_equal"].startswith("text_encoder.encoder.block.0.layer.0.SelfAttention")
    assert "diffusers" in command.text
    within = cli("op=parity", *MODEL, f"op.official={{engine.python: {there}}}")
    assert within.code == 0, within.text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "op.official= names none"),
        (("op.official={engine: mock}",), "engine=mock, the official side, cannot trace"),
        (("op.official={enigne.python: x}",), "op.official has no enigne.python. Did you mean 'engine.python'?"),
        (("op.official={}", "op.modules=("), "is no regular expression"),
        pytest.param(("op.official={}", "op.modules=^nowhere$"), "is the name of no module", marks=pytest.mark.slow),
    ],
)
def test_what_cannot_be_compared_is_refused(words: tuple[str, ...], says: str, cli: Cli) -> None:
    command = cli("op=parity", *MODEL, *words)
    assert command.code == 2 and says in command.text, command.text
