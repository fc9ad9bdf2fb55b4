# SPDX-License-Identifier: Apache-2.0
"""Choices from outside the package (``--config-dir``) are explained like our own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Cli


@pytest.fixture(params=["my_conf", "my conf, too"])
def own(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder with an engine of its own, and a model without sampling for the default tier."""
    files = {
        "engine/echo.yaml": "_target_: echo.Echo\nname: echo\n",
        "model/ours.yaml": "defaults: [wan21_t2v_1_3b, _self_]\nname: ours\n",
        "prompts/ours.yaml": "name: ours\nentries: [{text: A boat.}]\n",
        "sampling/ours/smoke.yaml": "seed: 1\nnum_inference_steps: 2\n",
    }
    for name, text in files.items():
        path = tmp_path / request.param / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return str(request.param)


def test_a_mistyped_word_is_compared_with_both_folders(cli: Cli, own: str) -> None:
    command = cli("--config-dir", own, "engine=ecko")
    assert command.code == 2
    assert "Did you mean 'echo'?" in command.err and "diffusers, echo" in command.err


def test_a_tier_that_a_model_has_no_sampling_for_is_no_unknown_tier(cli: Cli, own: str) -> None:
    command = cli("--config-dir", own, "model=ours", "engine=mock", "tier=default")
    assert command.code == 2
    assert "sampling/ours/default" in command.err and "there is no such tier" not in command.err


def test_a_folder_that_is_not_there_is_named(cli: Cli) -> None:
    command = cli("--config-dir", "nowhere", "engine=mock")
    assert command.code == 2
    assert "--config-dir nowhere: there is no such folder" in command.err and "Warning" not in command.err


def test_what_is_in_it_runs(cli: Cli, own: str) -> None:
    command = cli("--config-dir", own, "op=generate", "model=ours", "engine=mock")
    assert command.code == 0, command.text
