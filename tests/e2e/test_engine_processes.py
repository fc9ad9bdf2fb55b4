# SPDX-License-Identifier: Apache-2.0
"""An engine in a process of its own, as a person meets it: how its ends read, and that nothing of it stays."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.launch.commands import DIARIST, JOBS, POOL, alive, diary, started, until

ISOLATED = (*JOBS, "engine.isolate=true")


@pytest.fixture(autouse=True)
def _diarist(tmp_path: Path) -> None:
    (tmp_path / "diarist.py").write_text(DIARIST)


def _engine_and_child(folder: Path) -> list[int]:
    """Process ids of the engine, and of what it has started."""
    return [entry[key] for entry in diary(folder) if entry["what"] == "child" for key in ("worker", "pid")]


def test_one_that_is_killed_is_a_failure_that_says_so_and_where_to_read_on(cli: Cli, tmp_path: Path) -> None:
    command = cli(*ISOLATED, "+engine.options.how=SIGKILL")
    assert command.code == 4
    assert "engine=mock in a process of its own was killed by SIGKILL while generating." in command.out
    assert "status/stdout.log" in command.out
    manifest = json.loads((tmp_path / "outputs" / "latest" / "manifest.json").read_text())
    assert manifest["environment"]["engine.python"]
    assert (tmp_path / "outputs" / "latest" / "status" / "stdout.log").is_file()


def test_what_it_prints_is_in_its_log_and_not_between_the_lines(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text(
        "from fvhydra.engines.mock import MockEngine\n"
        "class Loud(MockEngine):\n"
        "    def generate(self, case, progress):\n"
        "        print('\\x1b[2Jloading shards', flush=True)\n"
        "        return super().generate(case, progress)\n"
    )
    command = cli(*ISOLATED, "engine._target_=loud.Loud")
    assert command.code == 0 and "loading shards" not in command.text, command.text
    assert "loading shards" in (tmp_path / "outputs" / "latest" / "status" / "stdout.log").read_text()


def test_ctrl_c_twice_ends_it_at_once(tmp_path: Path, cache_dir: Path) -> None:
    with started(tmp_path, cache_dir, *ISOLATED, "+engine.options.how=hang") as process:
        pids = until(lambda: _engine_and_child(tmp_path))
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert all(map(alive, pids))  # it may still come to its next step
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert time.monotonic() - begin < 10, "it waited for the step"
    assert "Traceback" not in out + err
    assert not any(map(alive, pids))


def test_nothing_outlives_a_killed_driver_and_its_killed_worker(tmp_path: Path, cache_dir: Path) -> None:
    with started(tmp_path, cache_dir, *POOL, "engine.isolate=true", "+engine.options.how=deaf") as process:
        pids = until(lambda: _engine_and_child(tmp_path))
        assert all(map(alive, pids))
        process.kill()
        until(lambda: not any(map(alive, pids)), timeout_s=10)


def test_a_sweep_goes_on_beside_a_limit_that_was_raised(cli: Cli, tmp_path: Path) -> None:
    words = ("-m", *ISOLATED, "sweep=night", "seed=0,1")
    first = cli(*words, "+engine.options.seconds=1", "engine.timeout_s=0.5")
    assert first.code == 4 and "took too long for generating, and was ended" in first.out, first.text
    assert "log: multirun/generate/night/0/status/stdout.log" in first.out
    second = cli(*words, "+engine.options.seconds=1", "engine.timeout_s=60")
    assert second.code == 0, second.text
    third = cli(*words, "+engine.options.seconds=1", "engine.timeout_s=90", "engine.silence_s=30")
    assert third.code == 0 and third.out.count("done (reused)") == 2, third.text
