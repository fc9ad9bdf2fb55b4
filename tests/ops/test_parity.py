# SPDX-License-Identifier: Apache-2.0
"""``op=parity``: two sides on the same cases, and where they first differ."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from fvhydra.core.untrusted import read_array
from fvhydra.media.video import probe
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
    stages = {each["name"]: each for each in case["stages"]}
    assert [*stages][:: len(stages) - 1] == ["weights", "output"]
    assert (stages["initial noise"]["equal"], stages["initial noise"]["relative"]) == (1, 0.0)
    assert stages["guidance"]["official"] == stages["guidance"]["candidate"] == stages["guidance"]["beyond"] == 4
    series = {(each["module"], each["tensor"]): each["relative"] for each in case["over_steps"]}
    assert series["scheduler.step", "in.model_output"][0] == case["first"]["relative"]
    assert series["scheduler.step", "in.sample"][0] == 0.0 < series["scheduler.step", "in.sample"][1]
    assert len(case["frames"]) == 9 and min(case["frames"]) > 0
    folder = tmp_path / "outputs" / "latest"
    assert read_array(folder / case["maps"]["frames"], "map").shape == (9, 96, 96)
    assert [probe(folder / path).frames for path in case["outputs"].values()] == [9, 9]
    [follow] = latest_of(tmp_path)["next_commands"]
    assert follow["command"].endswith("'op.official={sampling.guidance_scale: 4.0}' sampling.guidance_scale=4.0")


@pytest.mark.slow
def test_the_suggested_command_runs_and_agrees(cli: Cli, tmp_path: Path) -> None:
    cli("op=parity", *MODEL, "op.official={sampling.guidance_scale: 4.0}")
    [follow] = latest_of(tmp_path)["next_commands"]
    again = cli(*shlex.split(follow["command"])[3:])
    assert again.code == 0 and parity_of(tmp_path)["first"] is None, again.text


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
    # first its blocks, then what is inside of the first that differs
    folder = tmp_path / "outputs" / "latest" / "traces"
    blocks, modules = (
        {
            row.module
            for row in read_trace(folder / f"0_{name}_official.jsonl")
            if row.module.startswith("text_encoder.")
        }
        for name in ("blocks", "modules")
    )
    assert {"text_encoder.encoder.block.0", "text_encoder.encoder.block.1"} <= blocks
    assert not any(name.startswith("text_encoder.encoder.block.0.") for name in blocks)
    assert modules and all(name.startswith("text_encoder.encoder.block.0") for name in modules)
    assert r"'op.modules=^text_encoder\.'" in command.text
    within = cli("op=parity", *MODEL, f"op.official={{engine.python: {there}}}")
    assert within.code == 0, within.text


def components_of(folder: Path) -> dict[str, str]:
    return {each["name"]: each["outcome"] for each in latest_of(folder)["parity"]["components"]}


def test_the_pipeline_waits_for_its_components(cli: Cli, tmp_path: Path) -> None:
    command = cli("op=parity", *MODEL, "op.scope=all", "op.official={tier.perturb_weights: 0.01}")
    assert command.code == 1, command.text
    assert "FAIL  component transformer: fail: call 0 out[0] differs by" in command.text
    assert "next_step=return_to_phase_6: transformer is red" in command.text
    assert components_of(tmp_path) == {
        "vae.encode": "pass",
        "vae.decode": "pass",
        "text_encoder": "pass",
        "transformer": "fail",
        "scheduler": "pass",
    }
    found = latest_of(tmp_path)["parity"]
    assert (found["cases"], found["next_step"]) == ([], "return_to_phase_6")
    page = (tmp_path / "outputs" / "latest" / "report" / "index.html").read_text()
    assert "Components, each alone on the same inputs" in page and "WanTransformer3DModel" in page
    red = (tmp_path / "outputs" / "latest").resolve()
    refused = cli("op=parity", *MODEL, f"op.components={red}", "op.official={}")
    assert refused.code == 2, refused.text
    assert "(next_step=return_to_phase_6): transformer is red (call 0 out[0] differs by" in refused.text


@pytest.mark.slow
def test_components_that_passed_hold_for_these_sides_alone(cli: Cli, tmp_path: Path) -> None:
    alone = cli("op=parity", *MODEL, "op.scope=components", "op.official={}")
    assert alone.code == 0, alone.text
    assert set(components_of(tmp_path).values()) == {"pass"} and latest_of(tmp_path)["parity"]["cases"] == []
    passed = (tmp_path / "outputs" / "latest").resolve()
    pipeline = cli("op=parity", *MODEL, f"op.components={passed}", "op.official={}")
    assert pipeline.code == 0, pipeline.text
    assert latest_of(tmp_path)["parity"]["rests_on"] == str(passed)
    other = cli("op=parity", *MODEL, f"op.components={passed}", "op.official={sampling.flow_shift: 5.0}")
    assert other.code == 2, other.text
    assert "passed with other sides (next_step=return_to_phase_6)" in other.text
    assert "official sampling.flow_shift: 7.0 there, 5.0 here" in other.text
    whole = cli("op=parity", *MODEL, "op.scope=all", "op.official={}")
    assert whole.code == 0 and "pass  component vae.decode" in whole.text and "pass  frames" in whole.text


@pytest.mark.slow
def test_components_of_another_version_in_another_environment(cli: Cli, tmp_path: Path) -> None:
    there = environment("diffusers-0.38")
    command = cli("op=parity", *MODEL, "op.scope=components", f"op.official={{engine.python: {there}}}")
    assert command.code == 0, command.text
    assert set(components_of(tmp_path).values()) == {"pass"}
    assert latest_of(tmp_path)["parity"]["made_with"]["official"]["versions.diffusers"] == "0.38.0"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "op.official= names none"),
        (("op.official={engine: mock}",), "engine=mock, the official side, cannot trace"),
        (("op.official={enigne.python: x}",), "op.official has no enigne.python. Did you mean 'engine.python'?"),
        (("op.official={}", "op.modules=("), "is no regular expression"),
        (
            ("op.official={engine: mock}", "op.scope=components"),
            "engine=mock, the official side, cannot run components",
        ),
        (("op.official={}", "op.components=nowhere"), "nowhere"),
        (("op.official={}", "op.scope=all", "op.components=x"), "leave op.components= away"),
        (("op.official={}", "op.scope=part"), "op.scope"),
        pytest.param(("op.official={}", "op.modules=^nowhere$"), "is the name of no module", marks=pytest.mark.slow),
    ],
)
def test_what_cannot_be_compared_is_refused(words: tuple[str, ...], says: str, cli: Cli) -> None:
    command = cli("op=parity", *MODEL, *words)
    assert command.code == 2 and says in command.text, command.text
