# SPDX-License-Identifier: Apache-2.0
"""A case is encoded, hashed and concluded while the next one is generated, and stays the case that it is."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from fvhydra.core.case import Case
from fvhydra.core.errors import InfrastructureError, UsageError
from fvhydra.engines.base import GeneratedMedia
from fvhydra.engines.mock import MockEngine
from fvhydra.ops import generation
from tests.conftest import Cli
from tests.ops.folders import latest_of

WORDS = ("engine=mock", "model=wan21_t2v_1_3b", "prompt_file=prompts.txt")


class Happenings:
    """What happened, in order, and when it began."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.began: dict[str, threading.Event] = {}

    def note(self, what: str) -> None:
        self.order.append(what)
        self.event(what).set()

    def event(self, what: str) -> threading.Event:
        return self.began.setdefault(what, threading.Event())


@pytest.fixture
def happened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Happenings:
    (tmp_path / "prompts.txt").write_text("a cat\na dog\na hat\n")
    found = Happenings()
    generate, close, write = MockEngine.generate, MockEngine.close, generation.write_artifact

    def generated(engine: MockEngine, case: Case, progress: Any) -> GeneratedMedia:
        found.note(f"generate {case.index}")
        return generate(engine, case, progress)

    def closed(engine: MockEngine) -> None:
        found.note("close")
        close(engine)

    def written(path: Path, case: Case, media: GeneratedMedia) -> None:
        write(path, case, media)
        found.note(f"written {case.index}")

    monkeypatch.setattr(MockEngine, "generate", generated)
    monkeypatch.setattr(MockEngine, "close", closed)
    monkeypatch.setattr(generation, "write_artifact", written)
    return found


def _hashes(folder: Path) -> list[tuple[int, str]]:
    manifest = json.loads((folder / "outputs" / "latest" / "manifest.json").read_text())
    return [(item["case"], item["sha256"]) for item in manifest["artifacts"]]


def test_the_next_case_is_generated_while_one_is_written(
    command: Cli, tmp_path: Path, happened: Happenings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("op=seed_ssim", *WORDS, "op.confirm=upload").code == 0
    alone = _hashes(tmp_path)
    write = generation.write_artifact

    def waits(path: Path, case: Case, media: GeneratedMedia) -> None:
        if case.index < 2:
            assert happened.event(f"generate {case.index + 1}").wait(30), "the next one did not begin"
        write(path, case, media)

    happened.began.clear()
    monkeypatch.setattr(generation, "write_artifact", waits)
    checked = command("op=check_ssim", *WORDS)
    assert checked.code == 0, checked.text
    assert _hashes(tmp_path) == alone and [case for case, _ in alone] == [0, 1, 2]
    result = latest_of(tmp_path)
    assert [case["comparison"]["mean_ssim"] for case in result["cases"]] == [1, 1, 1]
    log = (tmp_path / "outputs" / "latest" / "status" / "progress.log").read_text()
    assert [f"| compare | clip={index} |" in log for index in range(3)] == [True] * 3
    assert "| compare | clip=0" not in checked.err  # the display is the case's that is generated


def test_a_case_that_cannot_be_written_is_named_although_another_is_generated(
    command: Cli, tmp_path: Path, happened: Happenings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, case: Case, media: GeneratedMedia) -> None:
        assert happened.event("generate 1").wait(30)
        raise UsageError("No space is left.", "Make room.")

    monkeypatch.setattr(generation, "write_artifact", full)
    failed = command("op=generate", *WORDS)
    assert failed.code == 4 or failed.code == 2, failed.text
    assert "Case 0 was generated and could not be written: No space is left." in failed.text
    assert "generate 2" not in happened.order


def test_a_bug_that_writing_meets_has_its_case_in_the_traceback(
    command: Cli, tmp_path: Path, happened: Happenings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = generation.write_artifact

    def broken(path: Path, case: Case, media: GeneratedMedia) -> None:
        if case.index == 1:
            raise ZeroDivisionError("by accident")
        write(path, case, media)

    monkeypatch.setattr(generation, "write_artifact", broken)
    failed = command("op=generate", *WORDS)
    assert failed.code == 4 and "ZeroDivisionError: by accident" in failed.text
    assert "Case 1 was generated and could not be written." in next(tmp_path.rglob("error.log")).read_text()


@pytest.mark.parametrize(("raised", "code"), [(InfrastructureError("The GPU is gone."), 4), (KeyboardInterrupt(), 130)])
def test_what_was_generated_is_kept_when_the_next_one_fails(
    raised: BaseException,
    code: int,
    command: Cli,
    tmp_path: Path,
    happened: Happenings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generate = MockEngine.generate

    def fails(engine: MockEngine, case: Case, progress: Any) -> GeneratedMedia:
        if case.index == 2:
            raise raised
        return generate(engine, case, progress)

    write = generation.write_artifact

    def slow(path: Path, case: Case, media: GeneratedMedia) -> None:
        if case.index == 1:  # the GPU is given back before what is left is written
            assert happened.event("close").wait(30)
        write(path, case, media)

    monkeypatch.setattr(MockEngine, "generate", fails)
    monkeypatch.setattr(generation, "write_artifact", slow)
    failed = command("op=generate", *WORDS)
    assert failed.code == code, failed.text
    [kept] = tmp_path.rglob("cases.jsonl")
    assert [json.loads(line)["result"]["index"] for line in kept.read_text().splitlines()] == [0, 1]
    assert [case for case, _ in _hashes(tmp_path)] == [0, 1]


def test_who_wants_no_other_after_a_failure_generates_none(command: Cli, happened: Happenings) -> None:
    assert command("op=seed_ssim", *WORDS, "op.confirm=upload").code == 0
    happened.order.clear()
    checked = command("op=check_ssim", *WORDS, "op.fail_fast=true", "tier.perturb_weights=1")
    assert checked.code == 1, checked.text
    assert [what for what in happened.order if what.startswith("generate")] == ["generate 0"]
