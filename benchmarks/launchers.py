# SPDX-License-Identifier: Apache-2.0
"""Launchers: what a job costs beside itself, how full two cores are kept, and how quickly a finished sweep is resumed.

python benchmarks/launchers.py

Everything runs in one temporary folder with the real command line; ``engine=mock`` makes jobs that are nothing but
overhead. ``slurm`` and ``modal`` run against the servers of the tests on this machine: no network and no other cluster
are in these figures. hydra-joblib-launcher is installed beside it for its own runs only: Hydra loads every plugin that
it finds.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from timing import interleaved, markdown

sys.path.append(str(Path(__file__).resolve().parent.parent))  # for the servers of the tests

PACKED_TARGET = 1.8
RESUME_TARGET_S = 5.0
EMPTY_JOBS = 8
EMPTY_JOBS_ELSEWHERE = 4
PACKED_JOBS = 12
RESUMED_JOBS = 1000
REPEATS = 3
PACKED_REPEATS = 1

FVHYDRA = [sys.executable, "-m", "fvhydra", "-m", "op=generate", "engine=mock", "model=wan22_ti2v_5b"]
FVHYDRA += ["prompt_index=0", "runtime.progress=none"]

JOBLIB = ("hydra-joblib-launcher==1.2.0", "joblib==1.5.2")
WITH_JOBLIB = "import os, sys; os.environ['PYTHONPATH'] += ':joblib'; os.execv(sys.executable, sys.argv[1:])"

# The same work for all: five seconds of arithmetic on one core, in a job that loads what fvhydra's jobs load.
WORK = """
import time

def work(seed):
    import numpy as np
    end = time.process_time() + 5.0
    values = np.random.default_rng(seed).standard_normal((128, 128))
    while time.process_time() < end:
        values = np.tanh(values @ values.T / 128)
    return float(values.mean())
"""

ENGINE = """
from fvhydra.engines.mock import MockEngine
from work import work

class Worker(MockEngine):
    def generate(self, case, progress):
        work(case.seed)
        return super().generate(case, progress)
"""

HYDRA_APP = """
import hydra
from hydra.core.config_store import ConfigStore
from work import work

ConfigStore.instance().store(name="config", node={"seed": 0})

@hydra.main(config_path=None, config_name="config", version_base="1.3")
def main(config):
    from fvhydra.ops.generate import Generate
    return work(config.seed)

main()
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ |= {"FVHYDRA_CACHE": str(folder / "cache"), "PYTHONPATH": str(folder)}
        for thread_variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ[thread_variable] = "1"
        for file, text in {"work.py": WORK, "worker.py": ENGINE, "app.py": HYDRA_APP}.items():
            (folder / file).write_text(text)
        os.chdir(folder)
        overhead()
        packed()
        resumed()


def overhead() -> None:
    """Seconds that each further empty job adds to a sweep."""
    rows = overheads({"local": [], "pool": ["launcher.workers=1"]}, EMPTY_JOBS)
    has_slurm = shutil.which("slurmctld", path=f"{os.environ['PATH']}:/usr/sbin") is not None
    if has_slurm:
        from tests.servers.slurm import Cluster

        with Cluster(Path("slurm").resolve(), accounting=False) as cluster:
            os.environ["SLURM_CONF"] = str(cluster.conf)
            settings = ["launcher.array_parallelism=1", "launcher.poll_s=0.2"]
            rows += overheads({"slurm": settings}, EMPTY_JOBS_ELSEWHERE)
    from tests.servers.modal import ModalServer

    with ModalServer(Path("modal").resolve()) as modal:
        os.environ |= modal.environment
        rows += overheads({"modal": ["launcher.max_containers=1"]}, EMPTY_JOBS_ELSEWHERE)
    print("### Overhead of an empty job, one at a time\n")
    print(markdown(["launcher", "sweep of one, wall s", "each further job, s"], rows))
    if not has_slurm:
        print("\nslurmctld is not installed here, and slurm was left out.")


def overheads(launchers: Mapping[str, Sequence[str]], further: int) -> list[tuple[str, str, str]]:
    """Rows of the table: launcher, a sweep of one, and what each of ``further`` jobs adds to it."""
    commands = {
        f"{launcher} {jobs}": [*FVHYDRA, f"launcher={launcher}", *settings, f"seed=range({jobs})"]
        for launcher, settings in launchers.items()
        for jobs in (1, 1 + further)
    }
    timings = interleaved(commands, REPEATS)
    rows = []
    for launcher in launchers:
        one, several = timings[f"{launcher} 1"], timings[f"{launcher} {1 + further}"]
        rows.append((launcher, f"{one.wall_s:.2f}", f"{(several.wall_s - one.wall_s) / further:.2f}"))
    return rows


def packed() -> None:
    """Twelve jobs of five seconds each."""
    plain = [sys.executable, "app.py", "-m", f"seed=range({PACKED_JOBS})"]
    work = [*FVHYDRA, "engine._target_=worker.Worker", f"seed=range({PACKED_JOBS})"]
    commands = {"Hydra's basic launcher": plain, "launcher=local": work, "launcher=pool": [*work, "launcher=pool"]}
    if _has_joblib():
        joblib = [*plain, "hydra/launcher=joblib", f"hydra.launcher.n_jobs={_cores()}"]
        commands["hydra-joblib-launcher"] = [sys.executable, "-c", WITH_JOBLIB, *joblib]
    timings = interleaved(commands, PACKED_REPEATS)
    base = timings["Hydra's basic launcher"].wall_s
    print(f"\n### {PACKED_JOBS} jobs of 5 s CPU on {_cores()} cores\n")
    rows = [(name, f"{timing.wall_s:.1f}", f"{base / timing.wall_s:.2f}x") for name, timing in timings.items()]
    print(markdown(["launcher", "wall s", "against Hydra's basic launcher"], rows))
    if "hydra-joblib-launcher" not in commands:
        print("\nhydra-joblib-launcher could not be installed and was left out.")
    print(f"\nTarget on two cores: pool at least {PACKED_TARGET}x.")


def _has_joblib() -> bool:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", "joblib", *JOBLIB]
    return subprocess.run(pip, capture_output=True, check=False).returncode == 0


def resumed() -> None:
    """A sweep of a thousand jobs that are all done."""
    command = [*FVHYDRA, f"seed=range({RESUMED_JOBS})", "sweep=done"]
    begun = time.perf_counter()
    timing = interleaved({"resumed": command}, REPEATS)["resumed"]  # the unmeasured round runs them
    first_s = time.perf_counter() - begun - sum(timing.wall)
    print(f"\n### Resuming a sweep of {RESUMED_JOBS} jobs that are all done\n")
    rows = [("first time, launcher=local", f"{first_s:.1f}"), ("again", f"{timing.wall_s:.1f}")]
    print(markdown(["command", "wall s"], rows))
    print(f"\nTarget: less than {RESUME_TARGET_S:.0f} s.")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    main()
