# SPDX-License-Identifier: Apache-2.0
"""An engine in a process of its own that dies, hangs or talks nonsense is a named outcome and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fvhydra.config.engine import EngineConfig
from fvhydra.core.errors import (
    EngineDied,
    EngineError,
    EngineFailed,
    EngineHung,
    EngineProtocolError,
    FvhydraError,
    MediaError,
    UsageError,
)
from fvhydra.core.progress import Silent
from fvhydra.engines import process
from fvhydra.engines.base import GeneratedMedia, TraceRequest
from fvhydra.engines.hosted import HostedEngine, describe
from fvhydra.testing import cases
from fvhydra.testing.cases import Steps
from tests.conftest import ROOT
from tests.engines.test_interpreter import IMPORTED_THERE
from tests.launch.commands import alive, until

BAD = 13
MODEL = "wan21_t2v_1_3b"

Opened = Callable[..., HostedEngine]


def config(how: str = "none", **settings: Any) -> EngineConfig:
    settings = {"isolate": True, "silence_s": 20.0, **settings}
    return EngineConfig(_target_="tests.engines.stubs.Stub", name="stub", options={"how": how}, **settings)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "status" / "stdout.log"


@pytest.fixture
def opened(tmp_path: Path, log: Path) -> Iterator[Opened]:
    engines: list[HostedEngine] = []

    def make(how: str = "none", **settings: Any) -> HostedEngine:
        engines.append(HostedEngine(config(how, **settings), log))
        engines[-1].load(cases.request(MODEL, tmp_path), Silent())
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


def generate(engine: HostedEngine, seed: int = 1, progress: Any = None) -> GeneratedMedia:
    return engine.generate(cases.case(MODEL, engine="stub", seed=seed), progress or Silent())


def pid_of(engine: HostedEngine) -> int:
    return int(generate(engine).arguments["pid"])


def gone(group: int) -> bool:
    """Whether nothing of a process group runs any more."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, _, rest = stat.read_text().partition(" ")
        except OSError:  # it ended meanwhile
            continue
        if int(rest.rpartition(")")[2].split()[2]) == group and alive(int(pid)):
            return False
    return True


class Stages(Steps):
    """Notes the stages too."""

    def __init__(self) -> None:
        super().__init__()
        self.stages: list[str] = []

    def stage(self, stage: str, case: int | None = None, msg: str = "") -> None:
        self.stages.append(stage)


def test_a_case_goes_there_and_its_media_come_back(opened: Opened) -> None:
    steps = Steps()
    engine = opened()
    media = generate(engine, progress=steps)
    case = cases.case(MODEL, engine="stub", seed=1)
    assert media.arguments.pop("pid") != os.getpid()
    expected = {"prompt": case.prompt, "fingerprint": case.fingerprint, "modality": "video"}
    assert media.arguments == expected | {"call": {}, "image": "None"}
    assert steps.seen == [(1, 3), (2, 3)]
    assert media.seconds == {"total_s": 1 / 3}
    assert engine.capabilities.artifacts == ("pixel",) and engine.capabilities.traces
    assert describe(config()).missing == ("fvhydra_absent",)
    trace = engine.trace(case, TraceRequest(modules="x.y"), Silent())
    [row] = trace.rows
    assert (row.module, row.step, row.shape, row.sum, trace.matched) == ("x.y", 1, [2, 3], 15.0, 1)
    assert np.array_equal(row.sample, np.arange(6)) and trace.media.seconds == {"total_s": 1 / 3}


def test_nothing_of_ours_is_imported_there_but_what_an_engine_may_import(opened: Opened) -> None:
    loaded = opened().facts()["loaded"]
    packages = {name.partition(".")[0] for name in loaded}
    assert {"fvhydra", "json", "tests"} <= packages
    assert not packages & {"pydantic", "hydra", "omegaconf", "yaml", "torch", "rich", "pytest"}
    ours = {Path(file) for name, file in loaded.items() if name.partition(".")[0] == "fvhydra" and file}
    # and what that is, is held to Python 3.10
    assert ours <= {path for pattern in IMPORTED_THERE for path in (ROOT / "fvhydra").glob(pattern)}


@pytest.mark.parametrize(
    ("how", "kind", "message", "hint"),
    [
        ("SIGKILL", EngineDied, r"was killed by SIGKILL while generating\.$", r"memory ran out.*stdout\.log"),
        ("SIGSEGV", EngineDied, r"was killed by SIGSEGV while generating: Fatal Python error: Segm", "stdout.log"),
        ("exit", EngineDied, r"exited with code 3 while generating: cannot find libcuda\.so\.$", "stdout.log"),
        ("close", EngineDied, r"(closed its end of the channel|exited with code 0) while generating", "stdout.log"),
        ("garbage", EngineProtocolError, r"not of the protocol while generating: .*Loading checkpoint", "stdout.log"),
    ],
)
def test_how_it_ended_is_named_and_the_next_case_has_another(
    opened: Opened, how: str, kind: type[EngineError], message: str, hint: str
) -> None:
    engine = opened(how)
    pid = pid_of(engine)
    with pytest.raises(kind) as caught:
        generate(engine, BAD)
    assert caught.value.exit_code == 4
    assert re.search(message, caught.value.message)
    assert caught.value.message.startswith("engine=stub in a process of its own ")
    assert re.search(hint, caught.value.hint)
    assert gone(pid)
    stages = Stages()
    assert generate(engine, progress=stages).arguments["pid"] != pid
    assert stages.stages == ["load"]


def test_one_that_hangs_is_ended_with_all_that_it_started(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_TERMINATE_S", 0.5)  # one that was stopped does not hear a polite signal
    note = tmp_path / "pids"
    engine = opened("children", silence_s=2.0, env={"STUB": str(note)})
    with pytest.raises(EngineHung, match="gave no sign of life for 2 s while generating, and was ended") as caught:
        generate(engine, BAD)
    assert "engine.silence_s" in caught.value.hint
    stopped, child = map(int, note.read_text().split())
    assert not alive(stopped) and not alive(child) and gone(stopped)
    assert pid_of(engine) != stopped


def test_a_call_that_takes_too_long_is_ended_although_it_gives_signs_of_life(opened: Opened) -> None:
    engine = opened("slow", timeout_s=2.0)
    pid = pid_of(engine)
    with pytest.raises(EngineHung, match="took too long for generating, and was ended") as caught:
        generate(engine, BAD)
    assert "engine.timeout_s" in caught.value.hint
    assert gone(pid)


def test_a_long_silence_of_the_engine_is_no_silence_of_its_process(opened: Opened) -> None:
    engine = opened("deaf", timeout_s=3.0, silence_s=1.5)
    with pytest.raises(EngineHung, match="took too long"):
        generate(engine, BAD)


@pytest.mark.parametrize(
    ("how", "kind", "message", "hint"),
    [
        ("refuse", UsageError, "No such thing.", "Take another."),
        ("refuse media", MediaError, "No such picture.", "Take another."),
        (
            "raise",
            EngineFailed,
            "engine=stub in a process of its own failed while generating: ValueError: shapes (2, 3) and (4,).",
            "The traceback is in ",
        ),
    ],
)
def test_what_it_raises_arrives_as_if_it_were_here_and_it_goes_on(
    opened: Opened, log: Path, how: str, kind: type[FvhydraError], message: str, hint: str
) -> None:
    engine = opened(how)
    pid = pid_of(engine)
    with pytest.raises(kind) as caught:
        generate(engine, BAD)
    assert type(caught.value) is kind
    assert caught.value.message == message
    assert caught.value.hint.startswith(hint)
    assert "stubs.py" in log.read_text() and "_do(" in log.read_text()
    assert pid_of(engine) == pid


class Refusing(Steps):
    """Cannot write to its disk."""

    def step(self, done: int, total: int) -> None:
        raise UsageError("No space left.")


@pytest.mark.parametrize("progress", [Steps(stop_after=1), Refusing()])
def test_what_a_listener_raises_ends_the_call_at_its_next_step(opened: Opened, progress: Any) -> None:
    engine = opened("slow")
    pid = pid_of(engine)
    begin = time.monotonic()
    with pytest.raises((KeyboardInterrupt, UsageError)):
        generate(engine, BAD, progress)
    assert time.monotonic() - begin < process._CANCEL_S
    assert pid_of(engine) == pid


class Late(Steps):
    """Cancels when the engine has gone on from the step that it reported."""

    def step(self, done: int, total: int) -> None:
        time.sleep(0.3)
        raise KeyboardInterrupt


def test_an_engine_that_does_not_heed_a_cancel_is_ended(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_CANCEL_S", 0.5)
    engine = opened("deaf")
    pid = pid_of(engine)
    with pytest.raises(KeyboardInterrupt):
        generate(engine, BAD, Late())
    assert gone(pid)
    assert pid_of(engine) != pid


def test_closing_leaves_nothing(opened: Opened) -> None:
    engine = opened()
    pid = pid_of(engine)
    engine.close()
    assert gone(pid)
    engine.close()


DRIVER = """
import sys
from pathlib import Path
from fvhydra.core.progress import Silent
from fvhydra.engines.hosted import HostedEngine
from fvhydra.testing import cases
from tests.engines.test_process import BAD, MODEL, config, generate

engine = HostedEngine(config("children", env={"STUB": sys.argv[2]}), Path(sys.argv[1], "log"))
engine.load(cases.request(MODEL, Path(sys.argv[1])), Silent())
generate(engine, BAD)
"""


def test_nothing_outlives_a_driver_that_is_killed_not_even_what_hangs(tmp_path: Path) -> None:
    note = tmp_path / "pids"
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, str(tmp_path), str(note)], cwd=ROOT)
    try:
        until(lambda: note.exists() and note.read_text())
        stopped, child = map(int, note.read_text().split())
        assert alive(stopped) and alive(child)
        driver.kill()
        until(lambda: gone(stopped) and not alive(child), timeout_s=10)
    finally:
        driver.kill()
        driver.wait()


def test_a_second_interruption_does_not_wait(opened: Opened) -> None:
    engine = opened("deaf")
    pid = pid_of(engine)
    begin = time.monotonic()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt):
        generate(engine, BAD, Impatient())
    signal.signal(signal.SIGINT, before)
    assert time.monotonic() - begin < process._CANCEL_S
    assert gone(pid)


class Impatient(Late):
    """Presses Ctrl-C again, a little later."""

    def step(self, done: int, total: int) -> None:
        with contextlib.suppress(KeyboardInterrupt):
            super().step(done, total)
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        raise KeyboardInterrupt


SPEAKER = """#!{python}
import socket, sys, time
if sys.argv[1] == "-c":
    exec(sys.argv[2])
else:
    from fvhydra.engines.channel import Channel
    Channel(socket.socket(fileno=int(sys.argv[2]))).send({hello})
    time.sleep(60)
"""


@pytest.mark.parametrize(
    ("hello", "message"),
    [
        ("'hello', protocol=99, python='3.12.1'", "speaks version 99 of the protocol, and this fvhydra version 2"),
        ("'welcome'", "said what is not of the protocol while starting: a message 'welcome' with nothing"),
        ("'hello', python='3.12.1'", "said what is not of the protocol while starting: a message 'hello' with python"),
    ],
)
def test_another_version_of_the_protocol_is_named(tmp_path: Path, hello: str, message: str) -> None:
    speaker = tmp_path / "python"
    speaker.write_text(SPEAKER.format(python=sys.executable, hello=hello))
    speaker.chmod(0o755)
    begin = time.monotonic()
    with pytest.raises(EngineProtocolError, match=message):
        describe(config(python=str(speaker)))
    assert time.monotonic() - begin < 10


def test_the_log_keeps_what_it_prints_and_how_it_was_started(opened: Opened, log: Path) -> None:
    engine = opened("exit")
    with pytest.raises(EngineDied):
        generate(engine, BAD)
    generate(engine)
    lines = log.read_text().splitlines()
    assert len([line for line in lines if "fvhydra/engines/host.py" in line]) == 2
    assert "cannot find libcuda.so" in lines


def test_ctrl_c_of_a_terminal_does_not_reach_it(opened: Opened) -> None:
    engine = opened()
    pid = pid_of(engine)
    assert os.getpgid(pid) == pid != os.getpgid(os.getpid())
    assert os.getsid(pid) != os.getsid(os.getpid())


def test_one_that_was_killed_between_two_cases_is_started_again(opened: Opened) -> None:
    engine = opened()
    pid = pid_of(engine)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(pid))
    assert pid_of(engine) != pid
