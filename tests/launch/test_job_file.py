# SPDX-License-Identifier: Apache-2.0
"""``job.json``, earlier attempts, the log of a worker: what holds a sweep together on disk."""

from __future__ import annotations

import dataclasses
import itertools
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fvhydra.config.launcher import LauncherConfig
from fvhydra.config.root import Config
from fvhydra.config.schema import conf_dir
from fvhydra.core import files, untrusted
from fvhydra.core.errors import UsageError
from fvhydra.core.result import RunResult
from fvhydra.core.run import RunFolder
from fvhydra.core.token import TOKEN_VARIABLES, WITHHELD_VARIABLE
from fvhydra.core.verdict import Verdict
from fvhydra.launch import attempts, resume
from fvhydra.launch.job_file import read_job, write_job
from fvhydra.launch.outcome import Follower, ending, error_line
from fvhydra.launch.sweep import titles
from fvhydra.launch.tokens import passed, worker_environment
from tests.conftest import clean_environment
from tests.launch.jobs import job

MODELS = sorted(path.stem for path in (conf_dir() / "model").iterdir())
OPS = sorted({path.stem for path in (conf_dir() / "op").iterdir()} - {"eval", "check_perf", "bisect"})  # need files
NEEDED = dict.fromkeys(("reseed_ssim", "reseed_perf", "seed_perf", "supersede_perf"), ("op.reason=why",))
LAUNCHERS = sorted(path.stem for path in (conf_dir() / "launcher").iterdir())


@pytest.mark.parametrize(
    "words",
    [(f"model={model}", "store=hub", "store.repo_id=a/b") for model in MODELS]
    + [
        (f"op={op}", f"launcher={launcher}", *NEEDED.get(op, ()))
        for op, launcher in zip(OPS, itertools.cycle(LAUNCHERS), strict=False)
    ]
    + [("prompt='-- \"x\" $y 猫\U0001f3ac'", "+engine.options={a: [1, {b: null}], c: 0.1}", "gpu=l40s")],
    ids=" ".join,
)
def test_a_job_is_the_same_after_the_journey(words: tuple[str, ...], tmp_path: Path) -> None:
    sent = job(tmp_path, *words)
    write_job(sent)
    received = read_job(tmp_path)
    assert received.config == sent.config
    for field in dataclasses.fields(Config):
        assert type(getattr(received.config, field.name)) is type(getattr(sent.config, field.name))
    assert (received.number, received.title, received.command) == (3, "seed=1", ["fvhydra", "-m"])


@pytest.mark.parametrize(
    "damage",
    [
        lambda record: record.pop("config"),
        lambda record: record.update(schema_version=0),
        lambda record: record["config"]["sampling"].update(num_inference_steps=-1),
        lambda record: record["types"].update(op="fvhydra.config.op.Gone"),
        lambda record: record.update(types=None),
    ],
)
def test_a_damaged_job_is_refused_in_one_sentence(damage: Any, tmp_path: Path) -> None:
    write_job(job(tmp_path))
    record = untrusted.read_json(tmp_path / "job.json")
    damage(record)
    files.write_json(tmp_path / "job.json", record)
    with pytest.raises(UsageError):
        read_job(tmp_path)


@pytest.mark.parametrize(
    ("words", "same"),
    [
        ((), True),
        (("runtime.threads=2",), True),
        (("launcher=pool", "launcher.workers=1"), True),
        (("sweep=x", "resume=false", "dry_run=true"), True),
        (("op.confirm=upload",), True),
        (("seed=1",), False),
        (("store.path=elsewhere",), False),
        (("op.draft=true",), False),
        (("engine=mock",), False),
        (("+engine.options.x=1",), False),
    ],
    ids=str,
)
def test_a_fingerprint_is_of_what_decides_the_outcome(words: tuple[str, ...], same: bool, tmp_path: Path) -> None:
    one, other = job(tmp_path, "op=seed_ssim"), job(tmp_path, "op=seed_ssim", *words)
    assert (one.fingerprint == other.fingerprint) == same


def test_a_fingerprint_is_of_the_content_of_files_too(tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.txt"
    found = []
    for text in ("one\n", "two\n", "one\n"):
        prompts.write_text(text)
        found.append(job(tmp_path, f"prompt_file={prompts}").fingerprint)
    assert found[0] == found[2] != found[1]


# ---------------------------------------------------------------------- attempts
def _finished(folder: Path, verdict: Verdict) -> None:
    work = job(folder)
    write_job(work)
    files.write_text(folder / "report" / "index.html", "page")
    RunFolder(folder).finish(RunResult("generate", verdict, "said"))


@pytest.mark.parametrize("verdict", list(Verdict))
def test_what_is_kept_and_what_runs_again(verdict: Verdict, tmp_path: Path) -> None:
    _finished(tmp_path, verdict)
    again = {Verdict.INFRASTRUCTURE, Verdict.INTERRUPTED, Verdict.USAGE_ERROR}
    assert (resume.settled(tmp_path) is None) == (verdict in again)


def test_nothing_is_lost_wherever_setting_aside_is_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename
    for stop in range(1, 6):
        folder = tmp_path / str(stop)
        _finished(folder, Verdict.PASS)
        before = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        done = itertools.count(1)

        def failing(self: Path, target: Path, done: Any = done, stop: int = stop) -> Path:
            if next(done) == stop:
                raise KeyboardInterrupt
            return rename(self, target)

        monkeypatch.setattr(Path, "rename", failing)
        for _ in range(2):
            try:
                attempts.set_aside(folder)
            except KeyboardInterrupt:
                assert stop == 1 or resume.settled(folder) is None
        monkeypatch.undo()
        attempts.set_aside(folder)
        assert [path.name for path in folder.iterdir()] == ["attempts"]
        assert {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_job_is_found_again_by_its_fingerprint(tmp_path: Path) -> None:
    for number in (0, 7, 10):
        write_job(job(tmp_path / str(number), f"seed={number % 7}"))  # 0, 0, 3
    (tmp_path / "3").mkdir()
    (tmp_path / "report").mkdir()
    assert attempts.numbers(tmp_path) == [0, 3, 7, 10]
    assert resume.by_fingerprint(tmp_path) == {
        job(tmp_path, "seed=0").fingerprint: [0, 7],
        job(tmp_path, "seed=3").fingerprint: [10],
    }


# ---------------------------------------------------------------------- workers
class Heard:
    def __init__(self) -> None:
        self.said: list[tuple[object, ...]] = []

    def stage(self, stage: str, case: int | None = None, msg: str = "") -> None:
        self.said.append((stage, case, msg))

    def step(self, done: int, total: int) -> None:
        self.said.append((done, total))


def test_progress_is_read_from_a_log_in_whatever_pieces_it_comes(tmp_path: Path) -> None:
    text = (
        "Warning: a library speaks\n2026-11-21T03:49:10Z | load | clip=- | msg=\n"
        "2026-11-21T03:49:10Z | generate | clip=2 | msg=猫 | and = signs\nstep 3/50\nstep by step\nhalf a li"
    )
    wanted = [("load", None, ""), ("generate", 2, "猫 | and = signs"), (3, 50)]
    chance = random.Random(0)
    for _ in range(50):
        log, heard = tmp_path / "job.log", Heard()
        follower = Follower(log, heard)
        log.unlink(missing_ok=True)
        follower.poll()
        data = text.encode()
        while data:
            size = chance.randint(1, 40)
            with open(log, "ab") as handle:
                handle.write(data[:size])
            data = data[size:]
            follower.poll()
        assert heard.said == wanted


def test_how_a_process_ended_in_words() -> None:
    assert ending(3) == "exited with code 3"
    assert ending(-signal.SIGSEGV) == "was killed by SIGSEGV"
    assert ending(-60) == "was killed by signal 60"


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("", ""),
        ("all is well\n", ""),
        ("Traceback (most recent call last):\n  File x\nImportError: no module\n", "ImportError: no module"),
        ("Fatal Python error: Aborted\n\nThread 0x1:\n  File y\n", "Fatal Python error: Aborted"),
        ("slurmstepd: error: Detected 1 oom_kill event\n", "slurmstepd: error: Detected 1 oom_kill event"),
        ("2026-11-21T03:49:10Z | generate | clip=0 | msg=An error: the film\n", ""),
    ],
)
def test_the_line_of_a_log_that_says_why(log: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "job.log").write_text("x\n" * 100_000 + log)
    assert error_line(tmp_path / "job.log") == line


def test_no_token_reaches_a_worker_that_was_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TOKEN_VARIABLES:
        monkeypatch.setenv(name, "hf_planted")
    monkeypatch.setenv("HOME", "/somebody")
    none, one = (worker_environment(LauncherConfig(name="pool", pass_env=allowed)) for allowed in ([], ["HF_TOKEN"]))
    assert "hf_planted" not in none.values() and none["HF_TOKEN_PATH"] == os.devnull
    assert none["HOME"] == "/somebody"
    assert [name for name in TOKEN_VARIABLES if name in one] == ["HF_TOKEN"]


def test_a_token_that_is_named_is_there_or_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TOKEN_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(
        UsageError, match=r"launcher.pass_env=\[HF_TOKN\]: the environment of this command has no HF_TOKN"
    ):
        passed(LauncherConfig(name="pool", pass_env=["HF_TOKN"]))
    (tmp_path / "token").write_text("hf_logged_in")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    given = worker_environment(LauncherConfig(name="pool", pass_env=["HF_TOKEN"]))
    assert given["HF_TOKEN"] == "hf_logged_in" and given["HF_TOKEN_PATH"] == os.devnull
    assert WITHHELD_VARIABLE not in given
    assert worker_environment(LauncherConfig(name="pool"))[WITHHELD_VARIABLE] == "HF_TOKEN", "for the worker's hint"


def test_what_tells_a_job_from_its_neighbours() -> None:
    assert titles([["op=generate", "seed=0"], ["op=generate", "seed=1"]]) == ["seed=0", "seed=1"]
    assert titles([["op=generate", "seed=0"]]) == ["(the only one)"]


def test_the_worker_by_hand(tmp_path: Path, cache_dir: Path) -> None:
    write_job(job(tmp_path / "7", "op=generate", "engine=mock", "prompt=a cat"))
    command = [sys.executable, "-m", "fvhydra.worker", str(tmp_path / "7")]
    environment = clean_environment(tmp_path, cache_dir)
    first, second = (
        subprocess.run(command, env=environment, capture_output=True, text=True, check=False) for _ in range(2)
    )
    assert first.returncode == 0 and "generate | clip=0 | msg=(1 of 1) a cat" in first.stdout
    assert second.stdout == "Already done: done.\n" and not (tmp_path / "7" / "attempts").exists()
