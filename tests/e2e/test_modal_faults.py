# SPDX-License-Identifier: Apache-2.0
"""What goes wrong at Modal, on the way there, and here."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.launch.modal.site import TROUBLE, Site, site

pytestmark = pytest.mark.slow

GENERATE = ("op=generate", "launcher=modal", *TROUBLE, "sweep=mine")
LONG = ("engine.options.kind=wait", "engine.options.seconds=60")
SHORT = ("engine.options.kind=wait", "engine.options.seconds=4")


@pytest.fixture
def here(tmp_path: Path, cache_dir: Path) -> Iterator[Site]:
    with site(tmp_path, cache_dir, containers=4) as found:
        yield found


def _generating(here: Site) -> bool:
    return any("generating wait" in log for log in here.logs("generate"))


def test_a_job_over_its_time_limit_has_failed_and_leaves_what_it_made(here: Site) -> None:
    command = here.run(*GENERATE, *LONG, "launcher.timeout_s=5")
    assert command.code == 4 and "job 0: The worker ran into launcher.timeout_s=5." in command.out, command.text
    assert (here.sweep("generate") / "0" / "manifest.json").is_file()
    assert "generating wait" in here.logs("generate")[0]


def test_a_container_that_hangs_is_ended_by_modal(here: Site) -> None:
    with here.started(*GENERATE, *LONG, "launcher.retries=0") as process:
        here.modal.wait(lambda: _generating(here))
        for item in here.modal.world.inputs.values():
            item.deadline = time.monotonic()
        command = here.ended(process)
    assert command.code == 4 and "The worker ran into Modal's time limit" in command.out, command.text


def test_a_preempted_job_runs_again_from_its_beginning(here: Site) -> None:
    with here.started(*GENERATE, *SHORT) as process:
        here.modal.wait(lambda: _generating(here))
        here.modal.preempt()
        command = here.ended(process)
    assert command.code == 0, command.text
    assert here.result("generate", 0)["verdict"] == "done" and len(here.modal.calls) == 1
    assert len({request.task for request in here.modal.requests("FunctionGetInputs")}) == 2


def test_a_container_that_dies_is_started_again_and_named_when_that_does_not_help(here: Site) -> None:
    with here.started(*GENERATE, *LONG, "launcher.retries=1") as process:
        while process.poll() is None:
            for task in list(here.modal.world.tasks.values()):
                if task.busy and task.process is not None:
                    task.process.kill()
            time.sleep(0.1)
        command = here.ended(process)
    assert command.code == 4 and "The worker was lost with its container" in command.out, command.text
    assert "Runner failed with exit code" in command.out
    assert here.modal.calls[0].outputs[0].retry_count == 1


def test_when_modal_stays_away_the_command_ends_and_says_how_to_come_back(here: Site) -> None:
    with here.started(*GENERATE, *SHORT, "launcher.detach=true", "launcher.patience_s=2") as process:
        here.modal.wait(lambda: _generating(here))
        here.modal.cut()
        command = here.ended(process)
    assert command.code == 4 and "Modal could not be reached for 2 s" in command.out, command.text
    assert "op=attach run=multirun/generate/mine" in command.out
    here.modal.mend()
    attached = here.run("op=attach", "run=multirun/generate/mine")
    assert attached.code == 0 and here.result("generate", 0)["verdict"] == "done", attached.text


def test_faults_that_pass_are_waited_for(here: Site) -> None:
    here.modal.fault("FunctionGetOutputs", *["UNAVAILABLE"] * 8)
    here.modal.fault("VolumeGetFile2", *["INTERNAL"] * 6)
    here.modal.fault("AppGetLogs", *["UNAVAILABLE"] * 3)
    command = here.run(*GENERATE)
    assert command.code == 0 and here.result("generate", 0)["verdict"] == "done", command.text


def test_a_polite_kill_is_an_interruption(here: Site) -> None:
    with here.started(*GENERATE, *LONG) as process:
        here.modal.wait(lambda: _generating(here))
        command = here.interrupted(process, signal.SIGTERM)
    assert command.code == 130 and "Traceback" not in command.text, command.text
    assert len(here.modal.requests("FunctionCallCancel")) == 1
    (here.sweep("generate") / "0" / "result.json").unlink()  # as Ctrl-C leaves it that is pressed again at once
    attached = here.run("op=attach", "run=multirun/generate/mine")
    assert attached.code == 130 and "job 0: Interrupted." in attached.out, attached.text


def test_the_same_command_comes_back_to_detached_jobs_of_one_that_was_killed(here: Site) -> None:
    words = ("-m", *GENERATE, *SHORT, "seed=1,2", "launcher.detach=true")
    with here.started(*words) as process:
        here.modal.wait(lambda: len(here.modal.calls) == 2)
        here.modal.wait(lambda: _generating(here))
        process.send_signal(signal.SIGKILL)
        process.wait()
    again = here.run(*words)
    assert again.code == 0 and len(here.modal.calls) == 2, again.text
    assert [here.result("generate", number)["verdict"] for number in (0, 1)] == ["done"] * 2


def test_jobs_of_a_killed_command_are_stopped_and_made_again(here: Site) -> None:
    with here.started(*GENERATE, *LONG) as process:
        here.modal.wait(lambda: _generating(here))
        process.send_signal(signal.SIGKILL)
        process.wait()
    here.modal.world.heartbeat_s = 0.5  # so long does Modal wait for a sign of life
    here.modal.wait(lambda: not here.modal.world.tasks, 20)
    here.modal.world.heartbeat_s = 60.0
    lost = here.run("op=attach", "run=multirun/generate/mine")
    assert lost.code == 4 and "The worker was lost with its container" in lost.out, lost.text
    with here.started(*GENERATE, *LONG):
        here.modal.wait(lambda: len(here.modal.calls) == 2)


def test_ctrl_c_while_the_image_is_being_made_leaves_nothing(here: Site) -> None:
    here.modal.fault("FunctionCreate", *["UNAVAILABLE"] * 200)
    with here.started(*GENERATE) as process:
        here.modal.wait(lambda: here.modal.requests("FunctionCreate"))
        command = here.interrupted(process)
    assert command.code == 130 and here.modal.calls == [] and "Traceback" not in command.text, command.text
