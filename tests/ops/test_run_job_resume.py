# SPDX-License-Identifier: Apache-2.0
"""``op=run_job`` goes on where it stopped, and keeps what was finished as it was."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.launch.commands import started, until
from tests.ops.folders import latest_of
from tests.ops.story import STORY, TOYS, WORDS, digests, made, record, runs_of, write_story


def test_the_same_command_again_keeps_every_clip(cli: Cli, tmp_path: Path) -> None:
    write_story(tmp_path)
    assert cli(*TOYS).code == 0
    [run] = runs_of(tmp_path)
    before, inodes = digests(run), _inodes(run)
    done = cli(*TOYS)
    assert done.code == 0 and "3 of 3 case(s) were finished by an earlier attempt and kept." in done.out
    assert runs_of(tmp_path) == [run] and digests(run) == before and _inodes(run) == inodes
    assert made(tmp_path) == ["one", "two", "three"]


def _inodes(run: Path) -> list[int]:
    return [path.stat().st_ino for path in sorted((run / "clips").iterdir())]


@pytest.mark.parametrize("damage", ["missing", "changed", "frame"])
def test_a_clip_that_is_damaged_is_made_again(cli: Cli, tmp_path: Path, damage: str) -> None:
    write_story(tmp_path)
    assert cli(*TOYS).code == 0
    [run] = runs_of(tmp_path)
    before, inodes = digests(run), _inodes(run)
    path = run / ("frames/last_frame_001.png" if damage == "frame" else "clips/clip_001.mp4")
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert cli(*TOYS, f"run={run}").code == 0
    assert made(tmp_path) == ["one", "two", "three", "two"]
    assert digests(run) == before and _inodes(run)[0] == inodes[0]
    assert [case["kept"] for case in latest_of(tmp_path)["cases"]] == [True, False, True]
    assert record(run, 1)["attempts"] == 2


def test_a_clip_whose_text_changed_is_made_again_and_all_that_chain_from_it(cli: Cli, tmp_path: Path) -> None:
    write_story(tmp_path)
    assert cli(*TOYS).code == 0
    [run] = runs_of(tmp_path)
    changed = [STORY["clips"][0], {"prompt": "other"}, STORY["clips"][2]]
    write_story(tmp_path, clips=changed)
    assert cli(*TOYS).code == 0
    assert made(tmp_path) == ["one", "two", "three", "other", "three"]
    assert runs_of(tmp_path) == [run] and record(run, 1)["prompt"] == "other"
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    after = digests(run)
    shutil.rmtree(tmp_path / "outputs")
    assert cli(*TOYS).code == 0
    [again] = runs_of(tmp_path)
    assert digests(again) == after


@pytest.mark.slow
def test_what_is_another_job_has_a_folder_of_its_own(cli: Cli, tmp_path: Path) -> None:
    write_story(tmp_path)
    for words in ((), ("seed=3",), ("model=cogvideox15_5b_i2v",), ("resume=false",)):
        assert cli(*WORDS, *words).code == 0
    assert len(runs_of(tmp_path)) == 4


def test_a_refusal_leaves_the_earlier_run_and_its_page_out(command: Cli, tmp_path: Path) -> None:
    write_story(tmp_path)
    assert command(*WORDS).code == 0 and command(*WORDS, "seed=2").code == 0
    latest = (tmp_path / "outputs" / "latest").resolve()
    write_story(tmp_path, init_image="gone.png")
    done = command(*WORDS)
    assert done.code == 2 and "report:" not in done.out
    assert (tmp_path / "outputs" / "latest").resolve() == latest


@pytest.mark.parametrize("other", ["seed=7", "job=example_mock"])
def test_a_folder_of_another_job_is_not_taken_up(command: Cli, tmp_path: Path, other: str) -> None:
    write_story(tmp_path)
    assert command(*WORDS).code == 0
    [run] = runs_of(tmp_path)
    before = digests(run)
    words = [word for word in WORDS if not (other.startswith("job=") and word.startswith("job_file="))]
    refused = command(*words, other, f"run={run}")
    assert refused.code == 2 and f"run={run} is a run of another job" in refused.text, refused.text
    assert digests(run) == before and not (run / "attempts").exists()
    assert (run / "result.json").is_file()


@pytest.mark.slow
def test_one_that_runs_is_not_taken_up(cli: Cli, tmp_path: Path) -> None:
    write_story(tmp_path)
    assert cli(*WORDS).code == 0
    [run] = runs_of(tmp_path)
    status = json.loads((run / "status" / "status.json").read_text())
    (run / "status" / "status.json").write_text(json.dumps(status | {"state": "running", "pid": os.getpid()}))
    done = cli(*WORDS)
    assert done.code == 2 and "is still running" in done.text


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["local", "pool"])
def test_a_job_of_a_sweep_goes_on_too(cli: Cli, tmp_path: Path, launcher: str) -> None:
    write_story(tmp_path)
    words = ("-m", *TOYS, "+engine.options.how=once", "seed=5", f"launcher={launcher}", "sweep=night")
    first = cli(*words)
    assert first.code == 4 and "To go on from here" not in first.out
    assert "To run only what has no verdict yet:" in first.out
    done = cli(*words)
    assert done.code == 0, done.text
    assert made(tmp_path) == ["one", "two", "two", "three"]
    run = tmp_path / "multirun" / "run_job" / "night" / "0"
    assert record(run, 1)["attempts"] == 2 and (run / "final_stitched.mp4").is_file()


def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(tmp_path: Path, cache_dir: Path, cli: Cli) -> None:
    write_story(tmp_path)
    with started(tmp_path, cache_dir, *TOYS, "+engine.options.how=wait", "resume=false") as process:
        until(lambda: made(tmp_path) == ["one", "two"])
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and "1 of 3 case(s) are finished." in out, out
    [run] = runs_of(tmp_path)
    assert record(run, 1)["state"] == "interrupted" and "To go on from here:" in out
    assert "resume=false" not in out.partition("To go on from here:")[2]  # which would keep nothing
    assert cli(*TOYS).code == 0 and made(tmp_path) == ["one", "two", "two", "three"]


def _killed_and_resumed(folder: Path, cache_dir: Path, kills: int, seed: int) -> None:
    write_story(folder)
    rng = random.Random(seed)
    for _ in range(kills):
        with started(folder, cache_dir, *WORDS, own_group=True) as process:
            time.sleep(rng.uniform(0.4, 2.4))
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_at_random_moments_it_comes_to_the_same(cli: Cli, tmp_path: Path, cache_dir: Path, kills: int) -> None:
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    write_story(tmp_path)
    assert cli(*WORDS, f"runtime.output_dir={undisturbed}").code == 0
    [expected] = (undisturbed / "run_job" / "story").iterdir()
    _killed_and_resumed(tmp_path, cache_dir, kills, seed=kills)
    done = cli(*WORDS)
    assert done.code == 0, done.text
    assert digests(tmp_path / "outputs" / "latest") == digests(expected)
