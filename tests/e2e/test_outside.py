# SPDX-License-Identifier: Apache-2.0
"""A package and a folder of choices from outside: everything that ours can do, they can."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fvhydra.core.trust import registered
from tests.conftest import Cli

PACKAGE = '''
from __future__ import annotations

import subprocess
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from fvhydra.config.engine import EngineConfig
from fvhydra.config.fields import doc
from fvhydra.config.launcher import LauncherConfig
from fvhydra.config.op import OpConfig
from fvhydra.config.store import StoreConfig
from fvhydra.core.result import RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.engines.mock import MockEngine
from fvhydra.launch.base import Launcher, worker_command
from fvhydra.launch.outcome import ending, job_log, outcome
from fvhydra.launch.tokens import worker_environment
from fvhydra.ops.base import Op
from fvhydra.stores.local import LocalStore

Small = Annotated[int, Field(ge=1, le=9)]


@dataclass
class OwnEngineConfig(EngineConfig):
    """An engine with a key of its own."""

    speed: Small = doc("How quick", 3)


class OwnEngine(MockEngine):
    def facts(self):
        return super().facts() | {"speed": self.config.speed}


@dataclass
class OwnStoreConfig(StoreConfig):
    """A store with a key of its own."""

    path: str = doc("Its folder", "own_store")
    level: Small = doc("Compression", 3)


class OwnStore(LocalStore):
    pass


@dataclass
class OwnOpConfig(OpConfig):
    """An op with a key of its own."""

    at_most: Small = doc("Cases", 3)


class OwnOp(Op):
    uses_model = False

    def run(self, context):
        return RunResult(self.config.name, Verdict.PASS, f"{len(context.cases)} of {self.config.at_most} case(s).")


@dataclass
class OwnLauncherConfig(LauncherConfig):
    """A launcher with a key of its own."""

    niceness: Small = doc("How low", 3)


class OwnLauncher(Launcher):
    def run(self, jobs):
        for job in jobs:
            log = job_log(job.folder.path)
            log.parent.mkdir(parents=True, exist_ok=True)
            with open(log, "ab") as output:
                command = ["nice", "-n", str(self.settings.niceness), *worker_command(job)]
                environment = worker_environment(self.settings)
                done = subprocess.run(command, env=environment, stdout=output, stderr=output, check=False)
            self.ended(job, outcome(job, ending(done.returncode)))
'''

_CHOICE = """# {word} of somebody else
defaults:
  - /schema/{group}@_here_: own_package.Own{name}Config
  - _self_

_target_: own_package.Own{name}
name: own
"""


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The environment in which workers find the package, as this process does."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "own_package.py").write_text(PACKAGE)
    for group in ("engine", "store", "op", "launcher"):
        folder = tmp_path / "conf" / group
        folder.mkdir(parents=True)
        name = group.capitalize()
        (folder / "own.yaml").write_text(_CHOICE.format(word=name, group=group, name=name))
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    yield {"PYTHONPATH": os.pathsep.join([str(tmp_path / "lib"), os.environ.get("PYTHONPATH", "")])}
    sys.modules.pop("own_package", None)
    registered.cache_clear()


ALL = ("--config-dir=conf", "engine=own", "store=own", "model=wan22_ti2v_5b")


def test_references_are_made_and_checked_by_choices_from_outside(
    command: Cli, tmp_path: Path, outside: dict[str, str]
) -> None:
    seeded = command(*ALL, "op=seed_ssim", "launcher=own", "launcher.niceness=1", "op.confirm=upload", **outside)
    assert seeded.code == 0 and "Published" in seeded.text, seeded.text
    assert (tmp_path / "own_store" / "current").is_dir()
    checked = command("-m", *ALL, "op=check_ssim", "engine.speed=1,2", "launcher=pool", "sweep=mine", **outside)
    assert checked.code == 0 and "2 job(s), worst: pass" in checked.text, checked.text
    manifest = json.loads((tmp_path / "multirun" / "check_ssim" / "mine" / "1" / "manifest.json").read_text())
    assert manifest["config"]["engine"]["speed"] == 2
    again = command("-m", *ALL, "op=check_ssim", "engine.speed=1,2", "launcher=own", "sweep=mine", **outside)
    assert again.code == 0 and again.text.count("(reused)") == 2, again.text


def test_all_wrong_keys_are_named_at_once_as_for_ours(command: Cli, outside: dict[str, str]) -> None:
    wrong = ("engine.speed=0", "store.level=10", "launcher.niceness=12", "op.at_most=0")
    done = command(*ALL, "op=own", "launcher=own", *wrong, **outside)
    assert done.code == 2 and "Traceback" not in done.text
    for sentence in (
        "engine.speed=0: must be",
        "store.level=10: must be",
        "op.at_most=0: must",
        "launcher.niceness=12",
    ):
        assert sentence in done.err
    assert "Did you mean 'speed'?" in command(*ALL, "engine.sped=2", **outside).err


@pytest.mark.slow
def test_help_doctor_and_configuration_know_them(command: Cli, outside: dict[str, str]) -> None:
    helped = command("--config-dir=conf", "--help", **outside).out
    assert helped.count("of somebody else") == 4 and "own: op.at_most=   Cases" in helped
    shown = command(*ALL, "op=own", "--cfg", "job", **outside)
    assert "speed: 3" in shown.out and "at_most: 3" in shown.out
    looked = command("op=doctor", **outside, FVHYDRA_CONFIG_DIR="conf")
    assert looked.code == 0, looked.text
    assert "FVHYDRA_CONFIG_DIR" in looked.out and "conf: adds choices" in looked.out


def test_an_op_from_outside_sweeps_in_both_ways(command: Cli, outside: dict[str, str]) -> None:
    for launcher in ("local", "pool"):
        done = command("-m", *ALL, "op=own", "op.at_most=4,5", f"launcher={launcher}", **outside)
        assert done.code == 0 and "2 job(s), worst: pass" in done.text, done.text


def test_what_a_checkout_says_runs_nothing_of_its_own(command: Cli, tmp_path: Path, outside: dict[str, str]) -> None:
    """Standing in a stranger's checkout, also when the package would be found."""
    (tmp_path / "fvhydra.yaml").write_text("config_dirs: [conf]\noverrides: [engine=own, model=wan22_ti2v_5b]\n")
    refused = command("op=generate", **outside)
    assert refused.code == 2 and "conf/engine/own.yaml" in refused.err and "own_package.Own" in refused.err
    assert "nor registered by an installed package" in refused.err
    dist = tmp_path / "lib" / "own_package-1.dist-info"  # what installing it would leave
    dist.mkdir()
    (dist / "METADATA").write_text("Metadata-Version: 2.1\nName: own-package\nVersion: 1\n")
    names = ("OwnEngine", "OwnEngineConfig")
    (dist / "entry_points.txt").write_text(
        "[fvhydra]\n" + "".join(f"{name.lower()} = own_package:{name}\n" for name in names)
    )
    registered.cache_clear()
    accepted = command("op=generate", **outside)
    assert accepted.code == 0, accepted.text
    manifest = json.loads((tmp_path / "outputs" / "latest" / "manifest.json").read_text())
    assert manifest["added"]["overrides"] == ["engine=own", "model=wan22_ti2v_5b"]
    assert "engine=own" not in manifest["command"]
