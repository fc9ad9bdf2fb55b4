# SPDX-License-Identifier: Apache-2.0
"""What every launcher promises: the same command leaves the same folder, summary and exit code, wherever jobs run.

A launcher joins with a fixture ``<name>_site`` (see ``launcher_sites.py``) and its name in :data:`LAUNCHERS`.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fvhydra.core.result import RunResult
from fvhydra.core.verdict import Verdict
from tests.conftest import Command, run_cli
from tests.contracts.launcher_sites import Site, own_machine, prepared, read
from tests.servers.modal import ModalServer
from tests.servers.slurm import Cluster

_OWN_MARKS = {"modal": pytest.mark.slow, "slurm": pytest.mark.slurm}
LAUNCHERS = [pytest.param(name, marks=_OWN_MARKS.get(name, ())) for name in ("local", "modal", "pool", "slurm")]

ODD = "-- a \"quoted\" 'single' $HOME ${seed} `ls` \\ = (1.2), [x] 猫 🎬"
VERDICTS = [Verdict.DONE, Verdict.INFRASTRUCTURE, Verdict.INFRASTRUCTURE]


@pytest.fixture(scope="module")
def local_site(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Site:
    return own_machine("local", tmp_path_factory.mktemp("local"), cache_dir)


@pytest.fixture(scope="module")
def pool_site(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Site:
    return own_machine("pool", tmp_path_factory.mktemp("pool"), cache_dir)


@pytest.fixture(scope="module")
def modal_site(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[Site]:
    folder = prepared(tmp_path_factory.mktemp("home"))
    with ModalServer(tmp_path_factory.mktemp("modal")) as modal:
        execute = functools.partial(run_cli, folder, cache_dir, **modal.environment)
        yield Site("modal", folder, execute, ("launcher.image.sources=[contrary]",))


@pytest.fixture(scope="module")
def slurm_site(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path, slurm: Cluster) -> Site:
    site = own_machine("slurm", tmp_path_factory.mktemp("login"), cache_dir)
    return dataclasses.replace(site, words=("launcher.poll_s=0.2",))


@pytest.fixture(scope="module", params=LAUNCHERS)
def site(request: pytest.FixtureRequest) -> Site:
    found: Site = request.getfixturevalue(f"{request.param}_site")
    return found


WORDS = ("op=generate", "sweep=night", "+engine.options.how=none,raise,exit", "+launcher.options.stamp=${now:%f}")


@pytest.fixture(scope="module")
def night(site: Site) -> Command:
    """One job that is fine, one that raises and one that exits."""
    return site.run(*WORDS, f"prompt={ODD}", HF_TOKEN="hf_planted")


@pytest.fixture
def sweep(site: Site, night: Command) -> Path:
    return site.folder / "multirun" / "generate" / "night"


def test_the_exit_code_is_that_of_the_worst_job(night: Command) -> None:
    assert night.code == 4, night.text
    assert "Traceback" not in night.text


def test_the_summary_names_every_failed_job_with_its_first_line_and_where_to_read_on(night: Command) -> None:
    for line in (
        "job 1: RuntimeError: the kernel is broken",
        "log: multirun/generate/night/1/status/error.log",
        "job 2: The job exited by itself (code 7).",
        "log: multirun/generate/night/2/status/error.log",
        "3 job(s), worst: infrastructure",
    ):
        assert line in night.out


def test_every_job_leaves_a_whole_run_folder(sweep: Path) -> None:
    for number in "012":
        found = {path.relative_to(sweep / number).as_posix() for path in (sweep / number).rglob("*") if path.is_file()}
        assert found >= {
            *("job.json", "manifest.json", "result.json", "status/status.json", "status/progress.log"),
            *("report/index.html", "report/junit.xml", "report/summary.md"),
        }
    [artifact] = read(sweep / "0", "manifest.json")["artifacts"]
    assert (sweep / "0" / artifact["path"]).stat().st_size == artifact["bytes"] > 1000
    assert {path.name for path in (sweep / "report").iterdir()} == {"index.html", "junit.xml", "summary.md"}


def test_a_result_is_data(sweep: Path) -> None:
    results = [RunResult.from_json(read(sweep / number, "result.json")) for number in "012"]
    assert [result.verdict for result in results] == VERDICTS
    assert [result.title for result in results][1].startswith("+engine.options.how=raise")
    assert not [path for path in sweep.rglob("*") if path.suffix in (".pkl", ".pickle")]


def test_it_is_composed_once_and_shipped(sweep: Path) -> None:
    for number in "012":
        shipped, ran = read(sweep / number, "job.json")["config"], read(sweep / number, "manifest.json")["config"]
        assert shipped["launcher"]["options"]["stamp"].isdecimal()
        assert ran["launcher"] == shipped["launcher"]


def test_an_odd_prompt_arrives_as_it_was_typed(sweep: Path) -> None:
    [case] = read(sweep / "0", "result.json")["cases"]
    assert case["prompt"] == ODD


def test_prompts_of_a_file_arrive_whatever_they_hold(site: Site) -> None:
    prompts = ["two\nlines\tand a tab", "--help", '$(touch hacked) ; \\"', "猫" * 40 + "\u200d🎬"]
    (site.folder / "odd.json").write_text(json.dumps(prompts))
    command = site.run("op=generate", "prompt_file=odd.json", "sweep=odd")
    assert command.code == 0, command.text
    cases = read(site.folder / "multirun" / "generate" / "odd" / "0", "result.json")["cases"]
    assert [case["prompt"] for case in cases] == prompts
    assert not (site.folder / "hacked").exists()


def test_where_it_ran_is_recorded_and_how_that_differs(sweep: Path, site: Site) -> None:
    manifest = read(sweep / "0", "manifest.json")
    assert {"python", "host", "fvhydra", "numpy"} <= set(manifest["environment"])
    if site.name != "local":  # which is this process
        here, there = read(sweep / "0", "job.json")["environment"], manifest["environment"]
        assert set(manifest["driver"]) >= {key for key in here if key in there and there[key] != here[key]}


def test_a_token_is_nowhere_in_what_is_left(sweep: Path) -> None:
    assert not [path for path in sweep.rglob("*") if path.is_file() and b"hf_planted" in path.read_bytes()]


def test_the_same_again_runs_only_what_has_no_verdict(site: Site, night: Command, sweep: Path) -> None:
    before = read(sweep / "0", "result.json")
    planned = site.run(*WORDS, f"prompt={ODD}", "dry_run=true")
    assert planned.code == 0 and "2 of 3 job(s) would run" in planned.out, planned.text
    again = site.run(*WORDS, f"prompt={ODD}")
    assert again.code == 4, again.text
    assert "done (reused)" in again.out and again.out.count("reused") == 1
    assert read(sweep / "0", "result.json") == before
    assert sorted(path.name for path in sweep.iterdir() if path.name.isdecimal()) == ["0", "1", "2"]
    for number, attempts in (("0", []), ("1", ["1"]), ("2", ["1"])):
        kept = sweep / number / "attempts"
        assert [path.name for path in (kept.iterdir() if kept.is_dir() else [])] == attempts
    assert read(sweep / "1" / "attempts" / "1", "result.json")["verdict"] == "infrastructure"


def test_a_refused_job_costs_nothing_and_stops_no_other(site: Site) -> None:
    command = site.run("op=generate", "prompt_index=0,9", "sweep=refused")
    assert command.code == 2, command.text
    folder = site.folder / "multirun" / "generate" / "refused"
    assert [read(folder / number, "result.json")["verdict"] for number in "01"] == ["done", "usage_error"]
    assert "job 1: prompt_index=9 is out of range" in command.out
    assert not (folder / "1" / "status" / "job.log").exists()
