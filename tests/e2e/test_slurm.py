# SPDX-License-Identifier: Apache-2.0
"""Sweeps on a real Slurm cluster: packed on its GPUs, told truly when they fail, found again, moved off dead nodes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.launch.slurm.site import Site
from tests.servers.slurm import Cluster

WAIT = "+engine.options.wait=true"


@pytest.fixture
def site(tmp_path: Path, cache_dir: Path, slurm: Cluster) -> Iterator[Site]:
    with Site(tmp_path, cache_dir, slurm) as site:
        yield site


def test_six_jobs_share_four_gpus_and_are_watched(site: Site, cache_dir: Path) -> None:
    driver = site.start("gpu=l40s", "seed=0,1,2,3,4,5", WAIT, HF_TOKEN="hf_planted_secret")
    site.wait_for(lambda: len(site.diary()) == 4)
    assert sorted(site.states()) == ["PENDING"] * 2 + ["RUNNING"] * 4
    held = [(entry["SLURMD_NODENAME"], entry["CUDA_VISIBLE_DEVICES"]) for entry in site.diary()]
    assert sorted(held) == [("n1", "0"), ("n1", "1"), ("n2", "0"), ("n2", "1")]
    site.go()
    command = driver.end()
    assert command.code == 0, command.text
    assert "6 job(s), worst: done" in command.text and "PENDING" in command.text
    assert {entry["SLURM_ARRAY_TASK_ID"] for entry in site.diary()} == set("012345")
    assert {entry["HF_TOKEN"] for entry in site.diary()} == {None}
    assert len(site.ids()) == 1  # one array for all
    manifest = json.loads((site.sweep / "3" / "manifest.json").read_text())
    assert manifest["config"]["seed"] == 3 and len(manifest["artifacts"]) == 1


def test_every_way_to_fail_is_told(site: Site) -> None:
    command = site.start("+engine.options.how=none,raise,exit,SIGKILL,SIGSEGV").end()
    assert command.code == 4, command.text
    verdicts = [site.result(number)["verdict"] for number in range(5)]
    assert verdicts == ["done"] + ["infrastructure"] * 4
    for line in (
        "job 1: RuntimeError: the kernel is broken",
        "job 2: The job exited by itself (code 7).",
        "job 4: The worker was killed by SIGSEGV (Slurm: FAILED on n",
    ):
        assert line in command.text
    assert _killed(3, command.text), command.text
    for number in range(1, 5):
        assert f"log: {site.sweep.relative_to(site.folder)}/{number}/status/" in command.text
    assert (site.sweep / "3" / "report" / "index.html").is_file()


def _killed(job: int, text: str) -> bool:
    """Whether the summary says that a worker was killed; Slurm calls the end of a killed script one or the other."""
    ends = ("was killed by SIGKILL (Slurm: FAILED on n", "was cancelled in Slurm")
    return any(f"job {job}: The worker {end}" in text for end in ends)


def test_a_job_that_somebody_cancels(site: Site) -> None:
    """One that runs, and one that waits, of which Slurm keeps no record at all."""
    driver = site.start("seed=0,1,2", WAIT, "launcher.array_parallelism=1")
    site.wait_for(lambda: len(site.diary()) == 1)
    [array] = site.ids()
    assert site.cluster.succeeds("scancel", f"{array}_1", f"{array}_0")
    site.wait_for(lambda: len(site.diary()) == 2)
    site.go()
    command = driver.end()
    assert command.code == 4, command.text
    assert "job 0: The worker was cancelled in Slurm (Slurm: CANCELLED on n" in command.text
    assert "job 1: The worker is no longer known to Slurm" in command.text
    assert [site.result(number)["verdict"] for number in range(3)] == ["infrastructure", "infrastructure", "done"]


def test_ctrl_c_cancels_the_jobs(site: Site) -> None:
    driver = site.start("seed=0,1,2", WAIT, "launcher.array_parallelism=2")
    site.wait_for(lambda: len(site.diary()) == 2)
    command = driver.end(signal.SIGINT)
    assert command.code == 130, command.text
    assert site.states() == []
    assert "3 job(s), worst: interrupted" in command.text and "Traceback" not in command.text
    site.go()
    again = site.start("seed=0,1,2", WAIT).end()
    assert again.code == 0 and "3 job(s), worst: done" in again.text, again.text
    assert len(site.ids()) == 2


@pytest.mark.parametrize(("number", "words"), [(signal.SIGKILL, ()), (signal.SIGINT, ("launcher.detach=true",))])
def test_jobs_that_run_on_are_met_again(site: Site, number: signal.Signals, words: tuple[str, ...]) -> None:
    """The driver is killed, or detaches: the same command submits nothing twice."""
    driver = site.start("seed=0,1", WAIT, "launcher.array_parallelism=1", *words)
    site.wait_for(lambda: len(site.diary()) == 1)
    left = driver.end(number)
    assert site.states() == ["RUNNING", "PENDING"]
    assert left.code == (130 if words else -signal.SIGKILL), left.text
    assert not words or "Left to Slurm as" in left.text
    assert not (site.sweep / "0" / "result.json").exists()
    driver = site.start("seed=0,1,2", WAIT, "launcher.array_parallelism=1")
    site.wait_for(lambda: len(site.ids()) == 2)
    site.go()
    command = driver.end()
    assert command.code == 0 and "3 job(s), worst: done" in command.text, command.text
    assert sorted(entry["seed"] for entry in site.diary()) == [0, 1, 2]  # none began twice


def test_another_command_comes_back_to_jobs_that_go_on(site: Site) -> None:
    """It submits nothing, and a job that ended meanwhile without a verdict has failed."""
    driver = site.start("seed=0,1", WAIT, "launcher.detach=true")
    site.wait_for(lambda: len(site.diary()) == 2)
    left = driver.end(signal.SIGINT)
    assert left.code == 130 and "op=attach run=multirun/generate/night" in left.text, left.text
    site.cluster.succeeds("scancel", "--signal=KILL", f"{site.ids()[0]}_1")
    site.wait_for(lambda: site.states() == ["RUNNING"])
    driver = site.attach()
    time.sleep(1)
    site.go()
    command = driver.end()
    assert [site.result(number)["verdict"] for number in (0, 1)] == ["done", "infrastructure"], command.text
    assert command.code == 4 and "was cancelled in Slurm" in command.text, command.text
    assert "no verdict yet: the command that started it, with sweep=" in command.text
    assert len(site.ids()) == 1 and len(site.diary()) == 2


@pytest.mark.slow
def test_what_was_submitted_is_found_by_name(site: Site) -> None:
    """The driver was killed before it could note the id."""
    driver = site.start("seed=0", WAIT)
    site.wait_for(lambda: len(site.diary()) == 1)
    driver.end(signal.SIGKILL)
    [note] = (site.sweep / "slurm").glob("*.json")
    note.write_text(json.dumps(json.loads(note.read_text()) | {"id": None}))
    driver = site.start("seed=0", WAIT)
    time.sleep(2)
    site.go()
    command = driver.end()
    assert command.code == 0 and len(site.diary()) == 1, command.text
    assert list((site.sweep / "slurm").glob("*.json")) == [note]


def test_a_node_that_seems_lost_for_a_moment(site: Site) -> None:
    """Slurm shows NODE_FAIL for a second or two before it puts a job back into its queue."""
    shim = site.folder / "bin" / "squeue"
    shim.parent.mkdir()
    shim.write_text('#!/bin/sh\n"$REAL" "$@" | if [ -e lost ]; then sed s/RUNNING/NODE_FAIL/; else cat; fi\n')
    shim.chmod(0o755)
    real = shutil.which("squeue")
    assert real
    driver = site.start("seed=0", WAIT, REAL=real, PATH=f"{shim.parent}:{os.environ['PATH']}")
    site.wait_for(lambda: len(site.diary()) == 1)
    (site.folder / "lost").touch()
    time.sleep(2)
    (site.folder / "lost").unlink()
    site.go()
    command = driver.end()
    assert command.code == 0, command.text
    assert "NODE_FAIL" in command.text


@pytest.mark.slow
def test_a_preempted_job_runs_again(site: Site) -> None:
    words = ("gpu=l40s", "launcher.gres=gpu:l40s:2", "launcher.constraint=n1", "launcher.partition=preemptible")
    driver = site.start("seed=0", WAIT, *words)
    site.wait_for(lambda: len(site.diary()) == 1)
    urgent = ("--partition=main", "--constraint=n1", "--gres=gpu:l40s:2", "--output=/dev/null", "--wrap=sleep 1")
    assert site.cluster.succeeds("sbatch", *urgent)
    site.wait_for(lambda: len(site.diary()) == 2)
    site.go()
    command = driver.end()
    assert command.code == 0, command.text
    assert site.diary()[1]["SLURM_RESTART_COUNT"] == "1"
    assert site.result(0)["verdict"] == "done" and len(list((site.sweep / "0" / "attempts").iterdir())) == 1


@pytest.mark.slow
def test_a_controller_that_restarts_is_waited_for(site: Site) -> None:
    driver = site.start("seed=0,1", WAIT, "launcher.array_parallelism=1")
    site.wait_for(lambda: len(site.diary()) == 1)
    site.cluster.stop_controller()
    site.go()
    time.sleep(1)
    site.cluster.start_controller()
    command = driver.end()
    assert command.code == 0, command.text
    assert "2 job(s), worst: done" in command.text and len(site.diary()) == 2


def test_without_accounting(tmp_path: Path, cache_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Clusters without slurmdbd have no ``sacct``."""
    with Cluster(tmp_path_factory.mktemp("bare"), accounting=False) as cluster, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(cluster.conf))
        command = Site(tmp_path, cache_dir, cluster).start("+engine.options.how=none,SIGKILL").end()
        assert not cluster.succeeds("sacct")
    assert command.code == 4 and _killed(1, command.text), command.text


def test_where_there_is_no_slurm(site: Site) -> None:
    command = site.start("seed=0", PATH="/nowhere").end()
    assert command.code == 2 and "launcher=slurm needs Slurm's commands" in command.text, command.text
    assert not (site.sweep / "0").exists()


def test_what_slurm_refuses(site: Site) -> None:
    """The first array is taken, the second is not: nothing stays behind."""
    command = site.start("seed=0,1", "launcher.partition=main,nowhere", WAIT).end()
    assert command.code == 2, command.text
    assert "Slurm refuses the jobs: Batch job submission failed: Invalid partition name specified" in command.text
    site.wait_for(lambda: not site.cluster.output("squeue", "-h"))
    assert len(list((site.sweep / "slurm").glob("*.json"))) == 1


@pytest.mark.slow
def test_what_slurm_refuses_leaves_alone_what_runs(site: Site) -> None:
    driver = site.start("seed=0", WAIT)
    site.wait_for(lambda: len(site.diary()) == 1)
    driver.end(signal.SIGKILL)
    command = site.start("seed=0,1", "launcher.partition=nowhere", WAIT).end()
    assert command.code == 130 and "Invalid partition name specified" in command.text, command.text
    assert f"job 0: Left to Slurm as {site.ids()[0]}_0" in command.text
    assert site.states() == ["RUNNING"] and not (site.sweep / "0" / "result.json").exists()


def test_slurm_is_asked_for_what_was_said(site: Site) -> None:
    site.cluster.add_account("science")
    driver = site.start(
        *("gpu=l40s", "launcher.gpus_by=gpus", "launcher.partition=preemptible", "launcher.account=science"),
        *("launcher.qos=normal", "launcher.constraint=n2", "launcher.timeout_min=7", "launcher.cpus_per_job=3"),
        *("launcher.memory_gb_per_job=1.5", "launcher.requeue=false", "launcher.array_parallelism=5"),
        *("launcher.mail_user=ada@example.org", "launcher.mail_type=END", "launcher.setup=[\"export BY_SETUP='a b'\"]"),
        *(f"launcher.python=env BY_PYTHON=c {sys.executable}", "+launcher.extra={hold: true, comment: two words}"),
    )
    site.wait_for(lambda: site.states() == ["PENDING"])
    asked = site.cluster.output("scontrol", "show", "job", site.ids()[0])
    for fact in (
        *("Partition=preemptible", "Account=science", "QOS=normal", "Features=n2", "TimeLimit=00:07:00", "Requeue=0"),
        *("NumCPUs=3", "MinMemoryNode=1.50G", "gpu:l40s:1", "ArrayTaskThrottle=5", "Comment=two words"),
        *("MailUser=ada@example.org", "MailType=END", f"WorkDir={site.folder}"),
    ):
        assert fact in asked, asked
    site.cluster.succeeds("scontrol", "release", site.ids()[0])
    command = driver.end()
    assert command.code == 0, command.text
    [entry] = site.diary()
    assert (entry["SLURMD_NODENAME"], entry["BY_SETUP"], entry["BY_PYTHON"]) == ("n2", "a b", "c")
    site.wait_for(lambda: "ada@example.org" in site.cluster.sent_mail())


def test_jobs_that_need_different_things_are_different_arrays(site: Site) -> None:
    """As are those that one array has no index for: Slurm counts to 1000."""
    for taken in ("0", "1", "1002"):
        (site.sweep / taken).mkdir(parents=True)
    command = site.start("seed=0,1,2,3", "launcher.cpus_per_job=1,2").end()
    assert command.code == 0, command.text
    verdicts = {number: site.result(number)["verdict"] for number in (2, 3, 4, 5, 6, 7, 1003, 1004)}
    assert set(verdicts.values()) == {"done"}
    logs = [site.sweep / str(number) / "status" / "stdout.log" for number in verdicts]
    assert [log.read_text().count("done: ") for log in logs] == [1] * 8
    assert len(site.ids()) == 4
    indices = sorted(entry["SLURM_ARRAY_TASK_ID"] for entry in site.diary())
    assert indices == sorted(["2", "3", "4", "5", "6", "7", "3", "4"])


def test_what_is_not_the_persons_to_say(site: Site) -> None:
    command = site.start("+launcher.extra.open_mode=truncate").end()
    assert command.code == 2 and "launcher.extra={open-mode: ...}: fvhydra sets this one itself" in command.text
    assert not (site.sweep / "0").exists()


@pytest.mark.slow
def test_a_job_moves_off_a_dead_node(site: Site) -> None:
    driver = site.start("seed=0", WAIT, "+launcher.extra.exclude=n2")
    site.wait_for(lambda: len(site.diary()) == 1)
    site.cluster.kill_node("n1")
    site.wait_for(lambda: "PENDING" in site.states())
    site.cluster.succeeds("scontrol", "update", f"jobid={site.ids()[0]}_0", "excnodelist=")
    site.wait_for(lambda: len(site.diary()) == 2)
    site.go()
    command = driver.end()
    site.cluster.revive_node("n1")
    assert command.code == 0, command.text
    assert [entry["SLURMD_NODENAME"] for entry in site.diary()] == ["n1", "n2"]


@pytest.mark.slow
def test_a_dead_node_without_requeue(site: Site) -> None:
    driver = site.start("seed=0", WAIT, "launcher.requeue=false")
    site.wait_for(lambda: len(site.diary()) == 1)
    node = site.diary()[0]["SLURMD_NODENAME"]
    site.cluster.kill_node(node)
    command = driver.end()
    site.cluster.revive_node(node)
    assert command.code == 4, command.text
    assert f"job 0: The worker was lost with its node (Slurm: NODE_FAIL on {node})" in command.text


@pytest.mark.slow
def test_the_time_limit(site: Site) -> None:
    began = time.monotonic()
    command = site.start("seed=0", WAIT, "launcher.timeout_min=1").end()
    assert command.code == 4 and time.monotonic() - began < 150
    assert "job 0: The worker ran into its time limit (Slurm: TIMEOUT on n" in command.text
    assert "launcher.timeout_min=1" in command.text
    assert site.result(0)["verdict"] == "infrastructure"
