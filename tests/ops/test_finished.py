# SPDX-License-Identifier: Apache-2.0
"""A long job that was interrupted goes on after the last case that it finished."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.conftest import Cli, Command

ENGINE = """
import os, time
from fvhydra.engines.mock import MockEngine

class Stops(MockEngine):
    def generate(self, case, progress):
        with open("made", "a") as made:
            print(case.index, file=made)
        if str(case.index) == os.environ.get("STOP_AT"):
            raise KeyboardInterrupt
        if str(case.index) == os.environ.get("DIE_AT"):
            time.sleep(2)  # a case takes its time, in which the one before it is written
            os.abort()
        return super().generate(case, progress)
"""
MODEL = ("engine=mock", "engine._target_=stops.Stops", "model=wan21_t2v_1_3b", "prompt_file=prompts.txt")


@pytest.fixture(autouse=True)
def _engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "stops.py").write_text(ENGINE)
    (tmp_path / "prompts.txt").write_text("a cat\na dog\na hat\na sea\n")


def _made(folder: Path) -> list[int]:
    """Cases that were generated since this was asked last."""
    path = folder / "made"
    found = [int(index) for index in path.read_text().split()] if path.exists() else []
    path.unlink(missing_ok=True)
    return found


def _stopped(cli: Cli, folder: Path, *words: str, at: int) -> list[str]:
    """Run until Ctrl-C at a case; the words of the command that goes on."""
    command = cli(*words, STOP_AT=str(at))
    assert command.code == 130, command.text
    assert f"Interrupted. {at} of 4 case(s) are finished." in command.out
    assert _made(folder) == list(range(at + 1))
    [again] = re.findall(r"To go on from here: python -m fvhydra (.+)", command.out)
    return shlex.split(again)


def _result(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "outputs" / "latest" / "result.json").read_text())
    return found


def test_seeding_goes_on_and_publishes_what_both_attempts_made(cli: Cli, tmp_path: Path) -> None:
    again = _stopped(cli, tmp_path, "op=seed_ssim", *MODEL, at=2)
    assert [word for word in again if not word.startswith("run=")] == ["op=seed_ssim", *MODEL]
    done = cli(*again, "op.confirm=upload")
    assert done.code == 0 and "2 of 4 case(s) were finished by an earlier attempt and kept." in done.out, done.text
    assert _made(tmp_path) == [2, 3]
    assert "Published 8 file(s)" in done.out
    checked = cli("op=check_ssim", *MODEL)
    assert checked.code == 0 and checked.out.count("pass  mean MS-SSIM: 1 ") == 4, checked.text


def test_a_check_goes_on_with_equal_numbers_and_without_them_when_a_reference_moved(cli: Cli, tmp_path: Path) -> None:
    assert cli("op=seed_ssim", *MODEL, "op.confirm=upload").code == 0
    _made(tmp_path)
    noise = "tier.perturb_weights=0.3"
    whole = cli("op=check_ssim", *MODEL, noise)
    numbers = [case["comparison"] for case in _result(tmp_path)["cases"]]  # type: ignore[attr-defined]
    assert whole.code == 1 and _made(tmp_path) == [0, 1, 2, 3]
    again = _stopped(cli, tmp_path, "op=check_ssim", *MODEL, noise, at=3)
    assert cli(*again).code == 1 and _made(tmp_path) == [3]
    found = _result(tmp_path)["cases"]
    assert [case["comparison"] for case in found] == numbers  # type: ignore[attr-defined]
    assert [case["kept"] for case in found] == [True, True, True, False]  # type: ignore[attr-defined]
    manifest = json.loads((tmp_path / "outputs" / "latest" / "manifest.json").read_text())
    assert sorted(entry["case"] for entry in manifest["artifacts"]) == [0, 1, 2, 3]
    # the reference of one case moves: only that case is compared, and made, anew
    moved = cli("op=reseed_ssim", *MODEL, "prompt_index=1", noise, "op.reason=test", "op.accept=[undisturbed_weights]",
                "op.confirm=[confirm reseed,upload]")  # fmt: skip
    assert moved.code == 0, moved.text
    _made(tmp_path)
    assert cli(*again).code == 1 and _made(tmp_path) == [1]


@pytest.mark.parametrize("harm", ["artifact", "line", "version", "recipe"])
def test_what_is_not_as_it_was_is_made_again(cli: Cli, tmp_path: Path, harm: str) -> None:
    again = _stopped(cli, tmp_path, "op=generate", *MODEL, at=2)
    run = tmp_path / next(word for word in again if word.startswith("run=")).partition("=")[2]
    if harm == "artifact":
        [first, *_] = sorted((run / "artifacts").rglob("*.mp4"))
        first.write_bytes(first.read_bytes()[:-1] + b"x")
        assert cli(*again).code == 0 and _made(tmp_path) == [0, 2, 3]
    elif harm == "line":
        text = (run / "cases.jsonl").read_text()
        (run / "cases.jsonl").write_text(text[: len(text) - 40])
        assert cli(*again).code == 0 and _made(tmp_path) == [1, 2, 3]
    elif harm == "version":
        (run / "cases.jsonl").write_text((run / "cases.jsonl").read_text().replace('"numpy":"', '"numpy":"0.'))
        assert cli(*again).code == 0 and _made(tmp_path) == [0, 1, 2, 3]
    else:
        assert cli(*again, "sampling.num_inference_steps=3").code == 0 and _made(tmp_path) == [0, 1, 2, 3]


@pytest.mark.slow
def test_a_job_of_a_sweep_that_died_goes_on_inside(cli: Cli, tmp_path: Path) -> None:
    words = ("op=generate", *MODEL, "launcher=pool", "sweep=night", "seed=1,2")
    died: Command = cli(*words, DIE_AT="2")
    assert died.code == 4, died.text
    assert sorted(_made(tmp_path)) == [0, 0, 1, 1, 2, 2]
    done = cli(*words)
    assert done.code == 0 and sorted(_made(tmp_path)) == [2, 2, 3, 3], done.text
    fresh = cli(*words, "resume=false")
    assert fresh.code == 0 and len(_made(tmp_path)) == 8, fresh.text


def test_a_run_of_another_op_is_not_gone_on_with(cli: Cli, tmp_path: Path) -> None:
    assert cli("op=generate", *MODEL).code == 0
    other = cli("op=seed_ssim", *MODEL, "run=outputs/latest")
    assert other.code == 2 and "is a run of op=generate, not of op=seed_ssim" in other.err, other.text
