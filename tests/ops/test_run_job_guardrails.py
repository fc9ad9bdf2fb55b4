# SPDX-License-Identifier: Apache-2.0
"""``op=run_job`` gives up on a clip in time, whatever its engine does; its folder can be read and gone on with."""

from __future__ import annotations

import json
import resource
import time
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.launch.commands import alive, until
from tests.ops.folders import latest_of
from tests.ops.story import TOYS, made, record, runs_of, write_story


def _processes(folder: Path) -> list[str]:
    """Processes that run in the folder of the test: the engine's, and what it started."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if path.joinpath("cwd").readlink() == folder and alive(int(path.name)):
                found.append(path.name)
        except OSError:
            continue
    return found


@pytest.mark.parametrize(
    ("how", "state", "said"),
    [
        ("sleep", "stopped", "took too long for generating, and was ended. (guardrails.max_clip_seconds=1.5)"),
        ("hold", "stopped", "took too long for generating, and was ended. (guardrails.max_clip_seconds=1.5)"),
        ("spin", "stopped", "took too long for generating, and was ended."),
        pytest.param("deaf", "stopped", "took too long for generating, and was ended.", marks=pytest.mark.slow),
        ("kill", "failed", "was killed by SIGKILL while generating"),
        ("eat", "failed", "failed while generating: MemoryError"),
    ],
)
def test_a_clip_that_cannot_be_made(cli: Cli, tmp_path: Path, how: str, state: str, said: str) -> None:
    write_story(tmp_path, guardrails={"max_clip_seconds": 1.5})
    begin = time.monotonic()
    done = cli(*TOYS, f"+engine.options.how={how}")
    assert done.code == 4 and time.monotonic() - begin < 30, done.text
    assert "1 of 3 clip(s); clip_001 was not made" in done.out and said in done.out, done.text
    assert until(lambda: not _processes(tmp_path), 10)
    [run] = runs_of(tmp_path)
    assert [record(run, index)["state"] for index in range(2)] == ["done", state]
    assert said.partition(" (")[0].rstrip(".") in record(run, 1)["error"]
    result = latest_of(tmp_path)
    assert [case["verdict"] for case in result["cases"]] == ["done", "infrastructure"]
    assert result["story"] == {**result["story"], "name": "story", "clips": 3, "stitched": None}
    assert not (run / "final_stitched.mp4").exists()
    assert json.loads((run / "status" / "status.json").read_text())["state"] == "failed"
    assert "at two" in (run / "status" / "stdout.log").read_text()
    assert (run / "report" / "index.html").is_file()
    assert ("Raise guardrails.max_clip_seconds if it needs longer." in done.out) == (state == "stopped")
    assert "engine.timeout_s" not in done.out
    status = json.loads((run / "status" / "status.json").read_text())
    used_s = min(status["elapsed_s"], status["budget_s"])  # one that does not listen takes longer to end
    assert status["budget_s"] - status["budget_left_s"] == pytest.approx(used_s, abs=1.0)
    [following] = result["next_commands"]
    assert f"run={run}" in following["command"] or f"run={run.relative_to(tmp_path)}" in following["command"]
    assert cli(*TOYS).code == 0  # and goes on
    assert made(tmp_path) == ["one", "two", "two", "three"] and record(run, 1)["attempts"] == 2


def test_the_whole_job_has_a_limit_too(cli: Cli, tmp_path: Path) -> None:
    write_story(tmp_path, guardrails={"max_clip_seconds": 1}, clips=[{"prompt": "one"}])
    (tmp_path / "toy.py").write_text(
        (tmp_path / "toy.py").read_text() + "\nToy.load = lambda self, request, progress: time.sleep(600)\n"
    )
    done = cli(*TOYS)
    assert done.code == 4 and "took too long for loading" in done.out, done.text


@pytest.mark.parametrize("how", ["work", "fill"])
def test_a_full_disk(cli: Cli, tmp_path: Path, how: str) -> None:
    small = 600_000  # bytes of a file: a short clip, and what comes from the engine, have fewer

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (small, resource.RLIM_INFINITY))

    clips = [{"prompt": "one", "num_frames": 5}, {"prompt": "two", "num_frames": 5 if how == "fill" else 81}]
    write_story(tmp_path, clips=clips)
    done = cli(*TOYS, f"+engine.options.how={how}", preexec=limit)
    assert done.code == 4 and "File too large" in done.text, done.text
    [run] = runs_of(tmp_path)
    assert record(run, 1)["state"] == "failed" and not (run / "clips" / "clip_001.mp4").exists()
    done = cli(*TOYS)
    assert done.code == 0 and "1 of 2 case(s) were finished by an earlier attempt" in done.out


HANGING = """
import ctypes
from fvhydra.engines.diffusers import DiffusersEngine

class Hanging(DiffusersEngine):
    def load(self, request, progress):
        super().load(request, progress)
        calls = []

        def never(module, arguments):
            calls.append(1)
            if len(calls) > 3:
                ctypes.PyDLL(None).sleep(600)  # a kernel that does not return

        self._loaded.pipe.transformer.register_forward_pre_hook(never)
"""


def test_a_real_pipeline_whose_step_never_returns(cli: Cli, tmp_path: Path) -> None:
    # many clips, so that loading has time within the budget
    write_story(tmp_path, guardrails={"max_clip_seconds": 6}, clips=[{"prompt": "one"}] * 20)
    (tmp_path / "hanging.py").write_text(HANGING)
    words = ("op=run_job", "job_file=story.yaml", "model=wan22_ti2v_5b", "engine._target_=hanging.Hanging")
    done = cli(*words, "engine.timeout_s=null", "sampling.num_inference_steps=2")
    assert done.code == 4 and "took too long for generating, and was ended." in done.out, done.text
    assert until(lambda: not _processes(tmp_path), 10)
    [run] = runs_of(tmp_path)
    assert record(run, 0)["state"] == "stopped"
