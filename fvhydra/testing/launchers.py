# SPDX-License-Identifier: Apache-2.0
"""What every launcher promises: the same command leaves the same folder, summary and exit code, wherever jobs run."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from fvhydra.core.result import RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.testing.command_line import Command, run_cli

CONTRARY = """
import sys
from fvhydra.engines.mock import MockEngine

class Contrary(MockEngine):
    def generate(self, case, progress):
        how = self.config.options.get("how")
        if how == "raise":
            raise RuntimeError("the kernel is broken")
        if how == "exit":
            sys.exit(7)
        return super().generate(case, progress)
"""

ODD = "-- a \"quoted\" 'single' $HOME ${seed} `ls` \\ = (1.2), [x] 猫 🎬"
VERDICTS = [Verdict.DONE, Verdict.INFRASTRUCTURE, Verdict.INFRASTRUCTURE]
WORDS = ("op=generate", "sweep=night", "+engine.options.how=none,raise,exit", "+launcher.options.stamp=${now:%f}")

_SWEEP = ("-m", "engine=mock", "engine._target_=contrary.Contrary", "model=wan22_ti2v_5b")
"""Jobs that take no time; ``+engine.options.how=`` says how they end: none, raise or exit."""


@dataclass(frozen=True)
class LauncherSite:
    """A folder to run commands in, with an engine that does as it is told.

    Attributes:
        choice: The word after ``launcher=``.
        folder: Where commands run; made if need be.
        cache_dir: Where tiny weights are kept.
        words: What else this launcher has to be told.
        environment: What commands are given beside their usual environment.
    """

    choice: str
    folder: Path
    cache_dir: Path
    words: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "contrary.py").write_text(CONTRARY)

    def run(self, *words: str, **environment: str) -> Command:
        """Run a command, and wait for its end."""
        command = (*_SWEEP, f"launcher={self.choice}", *self.words, *words)
        added: dict[str, Any] = {**self.environment, **environment}
        return run_cli(self.folder, self.cache_dir, *command, **added)


class LauncherContract:
    """Subclass it in a test module and set :attr:`choice`; pytest does the rest.

    The fixture ``site`` may be overridden, where a launcher needs more than a folder.
    """

    choice: ClassVar[str]
    """The word after ``launcher=``."""

    config_dir: ClassVar[Path | None] = None
    """Folder with ``launcher/<choice>.yaml``; None for a launcher of this package."""

    words: ClassVar[tuple[str, ...]] = ()
    """What else it has to be told."""

    in_this_process: ClassVar[bool] = False
    """Whether it runs jobs in the process of the command."""

    @pytest.fixture(scope="class")
    @classmethod
    def site(cls, tmp_path_factory: pytest.TempPathFactory) -> LauncherSite:
        """Where commands run, with what this process can import."""
        added = () if cls.config_dir is None else ("--config-dir", str(cls.config_dir.absolute()))
        path = os.pathsep.join(filter(None, sys.path))
        folder, cache = tmp_path_factory.mktemp(cls.choice), tmp_path_factory.mktemp("cache")
        return LauncherSite(cls.choice, folder, cache, (*added, *cls.words), {"PYTHONPATH": path})

    @pytest.fixture(scope="class")
    @classmethod
    def night(cls, site: LauncherSite) -> Command:
        """One job that is fine, one that raises and one that exits."""
        return site.run(*WORDS, f"prompt={ODD}", HF_TOKEN="hf_planted")

    @pytest.fixture
    def sweep(self, site: LauncherSite, night: Command) -> Path:
        """Folder of that sweep."""
        return site.folder / "multirun" / "generate" / "night"

    def test_the_exit_code_is_that_of_the_worst_job(self, night: Command) -> None:
        assert night.code == 4, night.text
        assert "Traceback" not in night.text

    def test_the_summary_names_every_failed_job_with_its_first_line_and_where_to_read_on(self, night: Command) -> None:
        for line in (
            "job 1: RuntimeError: the kernel is broken",
            "log: multirun/generate/night/1/status/error.log",
            "job 2: The job exited by itself (code 7).",
            "log: multirun/generate/night/2/status/error.log",
            "3 job(s), worst: infrastructure",
        ):
            assert line in night.out

    def test_every_job_leaves_a_whole_run_folder(self, sweep: Path) -> None:
        for number in "012":
            found = {
                path.relative_to(sweep / number).as_posix() for path in (sweep / number).rglob("*") if path.is_file()
            }
            assert found >= {
                *("job.json", "manifest.json", "result.json", "status/status.json", "status/progress.log"),
                *("report/index.html", "report/junit.xml", "report/summary.md"),
            }
        [artifact] = _read(sweep / "0", "manifest.json")["artifacts"]
        assert (sweep / "0" / artifact["path"]).stat().st_size == artifact["bytes"] > 1000
        assert {path.name for path in (sweep / "report").iterdir()} == {"index.html", "junit.xml", "summary.md"}

    def test_a_result_is_data(self, sweep: Path) -> None:
        results = [RunResult.from_json(_read(sweep / number, "result.json")) for number in "012"]
        assert [result.verdict for result in results] == VERDICTS
        assert [result.title for result in results][1].startswith("+engine.options.how=raise")
        assert not [path for path in sweep.rglob("*") if path.suffix in (".pkl", ".pickle")]

    def test_it_is_composed_once_and_shipped(self, sweep: Path) -> None:
        for number in "012":
            shipped, ran = _read(sweep / number, "job.json")["config"], _read(sweep / number, "manifest.json")["config"]
            assert shipped["launcher"]["options"]["stamp"].isdecimal()
            assert ran["launcher"] == shipped["launcher"]

    def test_an_odd_prompt_arrives_as_it_was_typed(self, sweep: Path) -> None:
        [case] = _read(sweep / "0", "result.json")["cases"]
        assert case["prompt"] == ODD

    def test_prompts_of_a_file_arrive_whatever_they_hold(self, site: LauncherSite) -> None:
        prompts = ["two\nlines\tand a tab", "--help", '$(touch hacked) ; \\"', "猫" * 40 + "\u200d🎬"]
        (site.folder / "odd.json").write_text(json.dumps(prompts))
        command = site.run("op=generate", "prompt_file=odd.json", "sweep=odd")
        assert command.code == 0, command.text
        cases = _read(site.folder / "multirun" / "generate" / "odd" / "0", "result.json")["cases"]
        assert [case["prompt"] for case in cases] == prompts
        assert not (site.folder / "hacked").exists()

    def test_where_it_ran_is_recorded_and_how_that_differs(self, sweep: Path, site: LauncherSite) -> None:
        manifest = _read(sweep / "0", "manifest.json")
        assert {"python", "host", "fvhydra", "numpy"} <= set(manifest["environment"])
        if not self.in_this_process:
            here, there = _read(sweep / "0", "job.json")["environment"], manifest["environment"]
            assert set(manifest["driver"]) >= {key for key in here if key in there and there[key] != here[key]}

    def test_a_token_is_nowhere_in_what_is_left(self, sweep: Path) -> None:
        assert not [path for path in sweep.rglob("*") if path.is_file() and b"hf_planted" in path.read_bytes()]

    def test_the_same_again_runs_only_what_has_no_verdict(
        self, site: LauncherSite, night: Command, sweep: Path
    ) -> None:
        before = _read(sweep / "0", "result.json")
        planned = site.run(*WORDS, f"prompt={ODD}", "dry_run=true")
        assert planned.code == 0 and "2 of 3 job(s) would run" in planned.out, planned.text
        again = site.run(*WORDS, f"prompt={ODD}")
        assert again.code == 4, again.text
        assert "done (reused)" in again.out and again.out.count("reused") == 1
        assert _read(sweep / "0", "result.json") == before
        assert sorted(path.name for path in sweep.iterdir() if path.name.isdecimal()) == ["0", "1", "2"]
        for number, attempts in (("0", []), ("1", ["1"]), ("2", ["1"])):
            kept = sweep / number / "attempts"
            assert [path.name for path in (kept.iterdir() if kept.is_dir() else [])] == attempts
        assert _read(sweep / "1" / "attempts" / "1", "result.json")["verdict"] == "infrastructure"

    def test_a_refused_job_costs_nothing_and_stops_no_other(self, site: LauncherSite) -> None:
        command = site.run("op=generate", "prompt_index=0,9", "sweep=refused")
        assert command.code == 2, command.text
        folder = site.folder / "multirun" / "generate" / "refused"
        assert [_read(folder / number, "result.json")["verdict"] for number in "01"] == ["done", "usage_error"]
        assert "job 1: prompt_index=9 is out of range" in command.out
        assert not (folder / "1" / "status" / "stdout.log").exists()


def _read(folder: Path, name: str) -> dict[str, Any]:
    """A JSON file of a job's folder."""
    return dict(json.loads((folder / name).read_text(encoding="utf-8")))
