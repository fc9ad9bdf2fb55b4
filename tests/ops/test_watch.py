# SPDX-License-Identifier: Apache-2.0
"""``op=watch``: runs are seen from their folders alone, here and far away, until they end as they end."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fvhydra.core import files, status, untrusted
from fvhydra.core.places import Place
from fvhydra.core.result import RunResult
from fvhydra.core.run import RunFolder
from fvhydra.core.verdict import Verdict
from fvhydra.ops import watch
from tests.conftest import Cli, run_at_terminal
from tests.servers.ssh import SshServer


def _run(folder: Path, title: str = "") -> RunFolder:
    run = RunFolder(folder)
    run.start(op="generate", model="ltx2", title=title, command=["fvhydra"], config={"seed": 1})
    return run


def _ended(folder: Path, verdict: Verdict, message: str = "") -> RunFolder:
    run = _run(folder)
    run.finish(RunResult("generate", verdict, message))
    return run


def _dead() -> int:
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


def _silent(folder: Path, **facts: Any) -> None:
    """Make a run say what it would if it had been killed long ago."""
    path = folder / "status" / "status.json"
    found = {"state": "running", "pid": _dead(), "host": socket.gethostname(), "updated": "2026-01-01T00:00:00Z"}
    files.write_json(path, untrusted.read_json(path) | found | facts)


@contextlib.contextmanager
def _working(run: RunFolder, verdict: Verdict, after: Callable[[], object]) -> Iterator[None]:
    """A run that works in a thread until ``after`` returns."""

    def work() -> None:
        with run.live.beating():
            run.stage("generate", 0, "a prompt")
            run.step(1, 4)
            after()
            run.step(4, 4)
            run.stage("encode", 0)
            time.sleep(0.2)
            run.finish(RunResult("generate", verdict, "That was it."))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@pytest.fixture(autouse=True)
def looked(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Is set when somebody has looked for runs: composing a command may take seconds on a busy machine."""
    monkeypatch.setattr(status, "PERIOD_S", 0.1)
    found, event = watch.find_runs, threading.Event()

    def find_and_tell(place: Place) -> list[str]:
        try:
            return found(place)
        finally:
            event.set()

    monkeypatch.setattr(watch, "find_runs", find_and_tell)
    return event


def test_a_run_that_has_ended_is_seen_with_its_own_code(command: Cli, tmp_path: Path) -> None:
    for verdict in (Verdict.PASS, Verdict.REGRESSION, Verdict.NO_REFERENCE, Verdict.INTERRUPTED):
        _ended(tmp_path / "outputs" / verdict.value, verdict, f"It was {verdict.value}.")
        seen = command("op=watch", f"from=outputs/{verdict.value}")
        assert seen.code == verdict.exit_code and f"watch: {verdict.value}" in seen.out, seen.text
        assert f"It was {verdict.value}." in seen.out
    several = command("op=watch", "from=outputs")
    assert several.code == 130 and "4 of 4 run(s) have ended" in several.out and "regression: regression" in several.out


def test_nothing_said_is_the_latest_run(command: Cli, tmp_path: Path) -> None:
    _ended(tmp_path / "outputs" / "a", Verdict.REGRESSION).point_latest(tmp_path / "outputs")
    assert command("op=watch").code == 1


def test_a_run_that_works_is_followed_to_its_end(command: Cli, tmp_path: Path, looked: threading.Event) -> None:
    run = _run(tmp_path / "run")
    (run.path / "status" / "stdout.log").write_text("0%\r50%\r100%\n\x1b[31mred\n")
    with _working(run, Verdict.REGRESSION, lambda: looked.wait(60) and time.sleep(0.8)):
        seen = command("op=watch", "from=run", "op.tail=[progress,stdout]", "op.tail_lines=1", "op.interval_s=0.1")
    assert seen.code == 1, seen.text
    lines = seen.err.splitlines()
    assert ".: running generate clip 0 step 1/4 a prompt" in lines and ".: finished" in lines, seen.text
    assert ".: stdout| \N{REPLACEMENT CHARACTER}[31mred" in lines and "100%" not in seen.err
    tails = [line for line in lines if "progress|" in line]
    assert len(tails) == 2 and "| encode |" in tails[-1]


def test_looking_once_waits_for_nothing(command: Cli, tmp_path: Path) -> None:
    run = _run(tmp_path / "run")
    run.stage("load")
    run.live.write()
    began = time.monotonic()
    seen = command("op=watch", "from=run", "op.once=true")
    assert seen.code == 0 and "running load" in seen.err and time.monotonic() - began < 5


def test_a_process_that_is_gone_is_said(command: Cli, tmp_path: Path) -> None:
    run = _run(tmp_path / "run")
    _silent(run.path)
    seen = command("op=watch", "from=run")
    assert seen.code == 4 and re.search(r"its process \d+ on \S+ is gone", seen.out), seen.text
    _silent(run.path, host="another-machine")
    seen = command("op=watch", "from=run", "op.once=true")
    assert seen.code == 0 and "no heart-beat for" in seen.err and "gone" not in seen.text


def test_a_heart_beat_that_stops_is_said_while_its_process_lives(
    command: Cli, tmp_path: Path, looked: threading.Event
) -> None:
    run = _run(tmp_path / "run")

    def hang() -> None:
        looked.wait(60)
        time.sleep(0.3)
        run.live._lock.acquire()  # what native code does that never lets go
        time.sleep(1.2)
        run.live._lock.release()

    with _working(run, Verdict.PASS, hang):
        seen = command("op=watch", "from=run", "op.stale_s=0.4", "op.interval_s=0.1")
    assert seen.code == 0 and "no heart-beat for" in seen.err and "gone" not in seen.text, seen.text


def test_all_runs_below_a_folder_and_those_that_come_later(
    command: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looked: threading.Event
) -> None:
    monkeypatch.setattr("fvhydra.ops.watch._LOOK_AROUND_S", 0.1)
    sweep = tmp_path / "multirun" / "mine"
    _ended(sweep / "0", Verdict.PASS)
    files.write_json(sweep / "1" / "job.json", {"title": "seed=2", "config": {"op": {"name": "generate"}}})
    log = sweep / "1" / "status" / "stdout.log"

    def elsewhere() -> None:  # a container, whose status comes home at the end
        looked.wait(60)
        time.sleep(0.5)
        log.parent.mkdir()
        log.write_text("2026-01-01T00:00:00Z | generate | clip=0 | msg=far away\nstep 1/2\n")
        _ended(sweep / "2", Verdict.REGRESSION)
        time.sleep(0.6)
        files.write_json(sweep / "1" / "result.json", {"verdict": "inconclusive", "op": "generate"})

    thread = threading.Thread(target=elsewhere)
    thread.start()
    seen = command("op=watch", "from=multirun/mine", "op.interval_s=0.1")
    thread.join()
    assert seen.code == 5, seen.text
    assert "1: waiting" in seen.err and "1: running generate clip 0 step 1/2 far away" in seen.err
    assert "3 of 3 run(s) have ended" in seen.out and "2: regression" in seen.out


def test_attempts_and_links_are_no_runs_of_their_own(command: Cli, tmp_path: Path) -> None:
    run = _ended(tmp_path / "outputs" / "generate" / "a", Verdict.PASS)
    run.point_latest(tmp_path / "outputs")
    _run(run.path / "attempts" / "1")
    seen = command("op=watch", "from=outputs")
    assert seen.code == 0 and seen.err.count("finished") == 1, seen.text


def test_what_is_no_run_and_what_no_address(command: Cli, tmp_path: Path) -> None:
    for given, says in (
        ("nowhere", "no run folder is there or below"),
        ("gopher://host/x", "from=gopher://host/x cannot be opened"),
        ("nowhere://x", "cannot be opened"),
        ("sftp:///runs", "names no host"),
    ):
        seen = command("op=watch", f"from={given}")
        assert seen.code == 2 and says in seen.err, seen.text
    assert "must be of: progress" in command("op=watch", "op.tail=[prog]").err
    assert "cannot be one itself" in command("op=watch", "launcher=pool").text


@pytest.mark.parametrize("content", ["", "[]", "{", '{"state": 5}', '{"state": "running", "pid": -1}', "\udcff"])
def test_records_that_strangers_wrote(command: Cli, tmp_path: Path, content: str) -> None:
    run = _ended(tmp_path / "run", Verdict.PASS)
    for name in ("manifest.json", "status/status.json"):
        (run.path / name).write_bytes(content.encode(errors="surrogateescape"))
    assert command("op=watch", "from=run", "op.once=true").code == 0
    (run.path / "result.json").write_bytes(content.encode(errors="surrogateescape"))
    files.write_json(run.path / "status" / "status.json", {"state": "finished\x1b]0;", "pid": 1, "verdict": "nice"})
    seen = command("op=watch", "from=run", "op.once=true")
    assert seen.code == 4 and "\x1b" not in seen.text


def test_any_address_that_fsspec_knows(command: Cli, tmp_path: Path) -> None:
    import fsspec

    run = _ended(tmp_path / "run", Verdict.REGRESSION, "Far away.")
    there = fsspec.filesystem("memory")
    there.put(str(run.path), "/bucket/runs/a", recursive=True)
    try:
        seen = command("op=watch", "from=memory://bucket/runs")
        assert seen.code == 1 and "Far away." in seen.out, seen.text
    finally:
        there.rm("/bucket", recursive=True)


def test_the_live_view_at_a_terminal(tmp_path: Path, cache_dir: Path) -> None:
    run = _run(tmp_path / "run", "seed=1")
    run.live.part(1, 3)
    run.live.note(budget_s=600)
    shown = threading.Event()

    def questions() -> Iterator[tuple[str, str]]:
        yield "s ago", ""
        shown.set()

    with _working(run, Verdict.REGRESSION, lambda: shown.wait(60)):
        words = ["op=watch", "from=run", "op.tail=progress"]
        seen = run_at_terminal(tmp_path, cache_dir, words, questions())
    assert seen.code == 1, seen.out
    for part in ("running", "generate ltx2 seed=1", "1/3", "s ago", "budget_s 600", "-- progress", "That was it."):
        assert part in seen.out, seen.out


# ---------------------------------------------------------------------------------------------------------------- SFTP
@pytest.fixture
def home(tmp_path: Path, sshd: SshServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's home folder who knows the server."""
    folder = tmp_path / "home"
    (folder / ".ssh").mkdir(parents=True)
    (folder / ".ssh" / "known_hosts").write_text(sshd.known_hosts)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return folder


def test_over_sftp_through_a_dropped_connection(
    command: Cli, tmp_path: Path, home: Path, sshd: SshServer, looked: threading.Event
) -> None:
    run = _run(tmp_path / "far" / "run")

    def drops() -> None:
        looked.wait(60)
        time.sleep(0.5)
        sshd.stop()
        time.sleep(1.5)
        sshd.start()
        time.sleep(0.3)

    with _working(run, Verdict.REGRESSION, drops):
        words = [f"from={sshd.url(tmp_path / 'far')}", f"op.key_file={sshd.key}", "op.tail=progress"]
        seen = command("op=watch", *words, "op.interval_s=0.2")
    assert seen.code == 1 and "That was it." in seen.out, seen.text
    assert "does not answer" in seen.err and "Trying again" in seen.err and "run: progress| " in seen.err, seen.text


def test_a_process_that_is_gone_there(command: Cli, tmp_path: Path, home: Path, sshd: SshServer) -> None:
    run = _run(tmp_path / "run")
    words = [f"from={sshd.url(run.path)}", f"op.key_file={sshd.key}", "op.once=true"]
    _silent(run.path)
    seen = command("op=watch", *words)
    assert seen.code == 4 and "is gone" in seen.out, seen.text
    for facts in ({"pid": os.getpid()}, {"host": "another-machine"}):
        _silent(run.path, **facts)
        seen = command("op=watch", *words)
        assert seen.code == 0 and "no heart-beat for" in seen.err and "gone" not in seen.text, seen.text


def test_what_the_ssh_config_says(command: Cli, tmp_path: Path, home: Path, sshd: SshServer) -> None:
    _ended(tmp_path / "run", Verdict.PASS)
    config = f"Host box\n  HostName 127.0.0.1\n  Port {sshd.port}\n  User {sshd.user}\n  IdentityFile {sshd.key}\n"
    (home / ".ssh" / "config").write_text(config)
    seen = command("op=watch", f"from=sftp://box{tmp_path}/run")
    assert seen.code == 0 and "watch: pass" in seen.out, seen.text


def test_hosts_and_keys_that_are_not_the_right_ones(command: Cli, tmp_path: Path, home: Path, sshd: SshServer) -> None:
    _ended(tmp_path / "run", Verdict.PASS)
    words = ["op=watch", f"from={sshd.url(tmp_path / 'run')}"]
    own = f"op.key_file={sshd.key}"
    (tmp_path / "other").mkdir()
    other = SshServer(tmp_path / "other")
    refused = command(*words, f"op.key_file={other.key}")
    assert refused.code == 2 and f"{sshd.user}@127.0.0.1 port {sshd.port} does not let this key in" in refused.err
    assert "is no file" in command(*words, "op.key_file=none").err
    (home / ".ssh" / "known_hosts").write_text("")
    unknown = command(*words, own)
    assert unknown.code == 2 and "is not among the known ones" in unknown.err, unknown.text
    assert command(*words, own, "op.accept_new_host=true").code == 0
    theirs = (tmp_path / "other" / "host_key.pub").read_text()
    (home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{sshd.port} {theirs}")
    changed = command(*words, own, "op.accept_new_host=true")
    assert changed.code == 2 and "is not the one that is known" in changed.err, changed.text
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = command("op=watch", f"from=sftp://127.0.0.1:{free.getsockname()[1]}/x", own)
    assert nobody.code == 4 and "does not answer" in nobody.err, nobody.text
