# SPDX-License-Identifier: Apache-2.0
"""``op=generate``: whatever the prompt is, and only that."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import Cli
from tests.ops.folders import latest_of


def test_generate_takes_an_odd_prompt_as_it_is(cli: Cli, tmp_path: Path) -> None:
    prompt = "A cat, sitting = happy (1.2)"
    command = cli("op=generate", "model=wan22_ti2v_5b", "engine=mock", f"prompt={prompt}", "seed=7")
    assert command.code == 0, command.text
    [case] = latest_of(tmp_path)["cases"]
    assert (case["prompt"], case["seed"]) == (prompt, 7)
    assert (tmp_path / "outputs" / "latest" / case["artifact"]).stat().st_size > 1000
    status = json.loads((tmp_path / "outputs" / "latest" / "status" / "status.json").read_text())
    assert {"state": "finished", "stage": "encode", "clip": 0, "done": 1, "total": 1}.items() <= status.items()


def test_generate_with_the_real_pipeline(cli: Cli, tmp_path: Path) -> None:
    command = cli("op=generate", "model=wan22_ti2v_5b", "prompt=A cat, sitting = happy (1.2)", "seed=7")
    assert command.code == 0, command.text
    [case] = latest_of(tmp_path)["cases"]
    assert case["artifact"].endswith(".mp4") and case["seconds"]["dit_time_s"] > 0


def test_prompt_files_of_each_kind(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n\ntwo, with = signs\n")
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n"two, with = signs"\n')
    (tmp_path / "a.yaml").write_text("- one\n- text: two, with = signs\n")
    for name in ("a.txt", "a.jsonl", "a.yaml"):
        assert cli("op=generate", "engine=mock", f"prompt_file={name}").code == 0
        assert [case["prompt"] for case in latest_of(tmp_path)["cases"]] == ["one", "two, with = signs"]


def test_plain_lines_without_a_terminal(cli: Cli) -> None:
    command = cli("op=generate", "engine=mock")
    assert "generate | load" in command.err and "\x1b[" not in command.text
    assert cli("op=generate", "engine=mock", "runtime.progress=none").err == ""


def test_settings_without_effect_are_named(cli: Cli, tmp_path: Path) -> None:
    command = cli("op=generate", "engine=mock", "model=wan21_t2v_1_3b", "prompt_index=0", "sampling.audio_s=3")
    assert command.code == 0 and "Without effect with engine=mock: audio_s=3" in command.out
    plain = cli("op=generate", "engine=mock", "model=wan21_t2v_1_3b", "prompt_index=0")
    assert "Without effect" not in plain.out
    [artifact] = json.loads((tmp_path / "outputs" / "latest" / "manifest.json").read_text())["artifacts"]
    assert artifact["arguments"]["seed"] == 1024 and artifact["dropped"] == {}
