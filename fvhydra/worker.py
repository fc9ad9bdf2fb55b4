# SPDX-License-Identifier: Apache-2.0
"""``python -m fvhydra.worker <job folder>``: run one job that was shipped there, wherever that is.

Every launcher that leaves the process of the command starts this. The job's output is its log; ``result.json`` in its
folder is its answer, and the exit code that of the verdict. A person can run it again by hand.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from fvhydra.core import files
from fvhydra.core.environment import environment, now
from fvhydra.core.errors import FvhydraError
from fvhydra.core.progress import Silent, format_stage, format_step
from fvhydra.core.project import config_folders, project_settings
from fvhydra.core.result import RunResult
from fvhydra.core.text import printable
from fvhydra.core.token import WITHHELD_VARIABLE
from fvhydra.core.verdict import AGAIN
from fvhydra.launch.attempts import set_aside
from fvhydra.launch.job import Job, record, run_job
from fvhydra.launch.job_file import read_job, read_record, refuse_settings
from fvhydra.launch.resume import settled

_STEP_EVERY_S = 2.0


def main(given: Sequence[str] | None = None) -> int:
    """Run the worker with the arguments ``given``; return the exit code of its verdict."""
    options = _options(given)
    faulthandler.enable()
    signal.signal(signal.SIGTERM, _terminate)
    if options.tether is not None:
        threading.Thread(target=_die_with, args=(options.tether,), daemon=True).start()
    try:
        return _run(options.folder.resolve(), preflight=not options.no_preflight).verdict.exit_code
    except FvhydraError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except Exception:  # of its checks; what happens in a job is its verdict
        traceback.print_exc()
        return 4


def _options(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fvhydra.worker", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the job's folder, with job.json")
    parser.add_argument("--no-preflight", action="store_true", help="the checks were made where the job was started")
    parser.add_argument("--tether", type=int, metavar="FD", help="die, with all children, when this pipe is closed")
    return parser.parse_args(given)


def _run(folder: Path, preflight: bool) -> RunResult:
    earlier = settled(folder)
    if earlier is not None:  # a scheduler started it again although it was done
        print(f"Already done: {earlier.verdict}.", flush=True)
        return earlier
    shipped = read_record(folder)
    job = read_job(folder)
    refuse_settings(job.config, folder / "job.json")
    if Path(shipped["folder"]).is_dir():
        os.chdir(shipped["folder"])
    if not job.op.writes_run_folder:
        _make_choices_known(job)
    if preflight:
        job.check(job.context(Silent()))
    set_aside(folder, keep=("job.json", "status"))
    result = run_job(job, Printed(), preflight=False)
    if job.op.writes_run_folder:
        _note_differences(job, shipped["environment"])
        _note_tokens(job, result)
    else:
        files.write_json(folder / "result.json", {**files.plain(result), "exit_code": result.verdict.exit_code})
    print(printable(f"{result.verdict}: {result.message}"), flush=True)
    return result


def _make_choices_known(job: Job) -> None:
    """Register configurations and launchers with Hydra, for ops such as the doctor that compose choices themselves."""
    from fvhydra.config.schema import register
    from fvhydra.launch import plugins

    register()
    plugins.register(config_folders(job.command, project_settings()))


def _note_differences(job: Job, driver: dict[str, str]) -> None:
    """Keep in the manifest what is different here from where the job was started: ``driver``, its values there."""
    here = environment()
    differing = {key: value for key, value in driver.items() if here.get(key) != value}
    job.folder.update_manifest(driver=differing | {key: None for key in here if key not in driver})


def _note_tokens(job: Job, result: RunResult) -> None:
    """A job that failed where a token might have helped says that it was not given one."""
    withheld = os.environ.get(WITHHELD_VARIABLE)
    if not withheld or result.verdict not in AGAIN:
        return
    if job.prepared.store.needs_token or job.config.tier.weights == "hub":
        allow = f"launcher.pass_env=[{withheld}]"
        result.notes.append(f"The job was not given {withheld}. If it needs a token to read: {allow}.")
        record(job.folder, result)


class Printed:
    """Progress as lines of the log, in the format of ``status/progress.log``; steps not more often than needed."""

    def __init__(self) -> None:
        self._stepped = 0.0

    def stage(self, stage: str, case: int | None = None, msg: str = "") -> None:
        print(format_stage(now(), stage, case, msg), flush=True)

    def step(self, done: int, total: int) -> None:
        if done == total or time.monotonic() - self._stepped >= _STEP_EVERY_S:
            self._stepped = time.monotonic()
            print(format_step(done, total), flush=True)


def _die_with(pipe: int) -> None:
    """End the whole process group when the other end of the pipe is gone: the driver was killed."""
    while os.read(pipe, 1):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _terminate(signum: int, frame: FrameType | None) -> None:
    """A polite kill ends like Ctrl-C: a readable run folder, exit 130."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
