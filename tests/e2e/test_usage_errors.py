# SPDX-License-Identifier: Apache-2.0
"""Wrong input gets one sentence with what is allowed, exit 2, and leaves nothing behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import Cli


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["op=seed_sim"], ["there is no such op", "Did you mean 'seed_ssim'?", "check_ssim"]),
        (["model=ltx3"], ["model=ltx3", "Did you mean 'ltx2'?"]),
        (["seeed=1"], ["no key 'seeed'", "Did you mean 'seed'?"]),
        (["op.confrim=upload", "op=seed_ssim"], ["no key 'op.confrim'", "Did you mean 'confirm'?"]),
        (["seed=abc"], ["seed=abc", "could not be converted to Integer"]),
        (["seed=-1", "sampling.num_inference_steps=0"], ["2 problems", "seed=-1", "sampling.num_inference_steps=0"]),
        (["model.artifact=pixels"], ["must be one of: pixel, latent"]),
        (["sampling.num_frames=46"], ["sampling.num_frames=46", "41", "49"]),
        (["model=wan21_t2v_1_3b", "sampling.num_frames=46"], ["sampling.num_frames=46", "45", "49"]),
        (["sampling.height=100"], ["sampling.height=100", "96", "128"]),
        (["prompt="], ["Prompt 0 of prompt= is empty"]),
        (["prompt_file=none.txt"], ["There is no prompt file none.txt"]),
        (["prompt_file=none.doc"], ["unknown extension", ".jsonl"]),
        (["prompt_index=7"], ["prompt_index=7 is out of range", "1 prompt(s)"]),
        (["model=hunyuan_i2v", "prompt=x"], ["animates a first frame", "image="]),
        (["image=none.png"], ["none.png"]),
        (["op=generate", "gpu=h100", "engine=diffusers"], ["gpu=h100", "this machine has none"]),
        (["hydra/launcher=joblib"], ["Write one of these instead: launcher=local"]),
        (["op=publish"], ["run=<folder"]),
        (["op=publish", "run=nowhere"], ["is not a run folder"]),
        (["backend=nope", "tier=nope"], ["2 problems", "backend=nope", "tier=nope"]),
        (["engine._target_=no.such.Engine", "op=generate"], ["engine._target_=no.such.Engine cannot be imported"]),
        (["-m", "model=ltx2,foo", "seed=0,x"], ["2 problems", "model=foo", "seed=x"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_one_sentence_and_nothing_left_behind(cli: Cli, tmp_path: Path, words: list[str], expected: list[str]) -> None:
    engine = [] if any("engine" in word for word in words) else ["engine=mock"]
    command = cli(*engine, *words)
    assert command.code == 2, command.text
    for part in expected:
        assert part in command.text
    assert "Traceback" not in command.text
    assert not (tmp_path / "store").exists()


def test_an_empty_prompt_file_and_a_broken_one(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n\n")
    assert "has no prompts" in cli("engine=mock", "prompt_file=empty.txt").text
    (tmp_path / "broken.jsonl").write_text('{"text": "a"}\n{nope\n')
    assert "line 2 is not valid JSON" in cli("engine=mock", "prompt_file=broken.jsonl").text
    (tmp_path / "wrong.json").write_text('[{"prompt": "a"}]')
    assert "neither a text nor an object" in cli("engine=mock", "prompt_file=wrong.json").text
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    assert "not UTF-8" in cli("engine=mock", "prompt_file=latin.txt").text


def test_a_store_that_cannot_be_written(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    command = cli("op=seed_ssim", "engine=mock", f"store.path={tmp_path}/file/store")
    assert command.code == 2 and "file/store" in command.text, command.text
    assert "Traceback" not in command.text


def test_a_full_disk_while_publishing(cli: Cli, tmp_path: Path) -> None:
    """A real limit of the operating system: no file may grow beyond 20 kB, the report and the latent included."""
    seeded = cli("op=seed_ssim", "engine=mock")
    assert seeded.code == 0, seeded.text
    import resource

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    before = _tree(tmp_path / "store")
    command = cli("op=seed_ssim", "engine=mock", "prompt=another", preexec=limited)
    assert command.code == 2 and "Traceback" not in command.text, command.text
    assert "large" in command.text or "space" in command.text
    assert _tree(tmp_path / "store") == before


def _tree(folder: Path) -> list[str]:
    return sorted(str(Path(root, name)) for root, _, names in os.walk(folder) for name in names)
