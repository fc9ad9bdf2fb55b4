# SPDX-License-Identifier: Apache-2.0
"""What an engine cannot do is refused before anything runs, by what it declares."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from fvhydra.config.backend import BackendConfig
from fvhydra.config.engine import EngineConfig
from fvhydra.config.gpu import GpuConfig
from fvhydra.config.launcher import LauncherConfig, ModalLauncherConfig, PoolLauncherConfig, SlurmLauncherConfig
from fvhydra.config.model import ModelConfig
from fvhydra.config.tier import TierConfig
from fvhydra.core.errors import UsageError
from fvhydra.core.progress import Progress
from fvhydra.engines.base import Capabilities, Engine, GeneratedMedia, LoadRequest
from fvhydra.engines.choice import check_engine, engine_class, warm_engine
from fvhydra.engines.mock import MockEngine
from fvhydra.testing import cases
from tests.conftest import Cli


@pytest.fixture(autouse=True)
def _any_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on one with a GPU."""
    monkeypatch.setattr("fvhydra.engines.choice.visible_gpus", lambda: None)


class Whole(MockEngine):
    """Can everything."""

    capabilities = Capabilities()


class Limited(MockEngine):
    """Can little."""

    capabilities = Capabilities(
        artifacts=("pixel",), modalities=("video",), weights=("hub",), cpu=False, packages=("numpy", "fvhydra_absent")
    )


class Partial(Engine):
    """Lacks a method of the contract."""

    def load(self, request: LoadRequest, progress: Progress) -> None: ...

    def generate(self, case: Any, progress: Progress) -> GeneratedMedia:
        return GeneratedMedia()


@dataclass
class Job:
    """What of a configuration the check looks at; all of it is fine for ``Limited``, but for its packages."""

    engine: EngineConfig
    model: ModelConfig
    tier: TierConfig
    gpu: GpuConfig
    backend: BackendConfig = field(default_factory=cases.backend)
    launcher: LauncherConfig = field(default_factory=lambda: LauncherConfig(name="local"))


def job(name: str, **changes: Any) -> Any:
    engine = EngineConfig(_target_=f"{__name__}.{name}", name=name.lower())
    fine = Job(engine, cases.model("wan21_t2v_1_3b"), cases.tier("default"), cases.gpu(1))
    return replace(fine, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": cases.model("ltx2")}, "engine=limited gives pixel, and model=ltx2 is compared as latent."),
        (
            {"model": cases.model("stable_audio_open", artifact="pixel", latent=None)},
            "engine=limited gives video, and model=stable_audio_open is of audio.",
        ),
        ({"tier": cases.tier()}, "engine=limited runs real weights only, and tier=smoke has tiny random ones."),
        ({"gpu": cases.gpu(0)}, "engine=limited needs a GPU, but gpu=cpu."),
        ({}, "engine=limited cannot do without fvhydra_absent, which this Python environment does not have."),
    ],
)
def test_what_an_engine_does_not_declare_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_engine(job("Limited", **changes), here=True)
    assert caught.value.message == message
    check_engine(job("Whole", **changes), here=True)


def test_of_an_engine_that_runs_elsewhere_only_the_declared_is_looked_at() -> None:
    check_engine(job("Limited"), here=False)
    with pytest.raises(UsageError, match="gives pixel"):
        check_engine(job("Limited", model=cases.model("ltx2")), here=False)
    absent = EngineConfig(_target_="tests.absent.Engine", name="absent")
    check_engine(job("Limited", engine=absent), here=False)
    with pytest.raises(UsageError, match="cannot be imported"):
        check_engine(job("Limited", engine=absent), here=True)


def test_an_engine_that_lacks_a_method_is_none() -> None:
    with pytest.raises(UsageError, match=r"Partial lacks facts, which fvhydra\.engines\.base\.Engine asks for"):
        engine_class(EngineConfig(_target_=f"{__name__}.Partial", name="partial"))


class Warmed(MockEngine):
    """Notes that it was warmed."""

    seen: ClassVar[list[str]] = []

    @classmethod
    def warm(cls, model: ModelConfig) -> None:
        cls.seen.append(model.name)


def test_libraries_are_not_imported_for_an_engine_that_runs_elsewhere() -> None:
    config = EngineConfig(_target_=f"{__name__}.Warmed", name="warmed")
    for isolate in (True, False):
        warm_engine(replace(config, isolate=isolate), cases.model("ltx2"))
        assert bool(Warmed.seen) is not isolate


@pytest.mark.parametrize(
    ("launcher", "same"),
    [
        (LauncherConfig(name="local"), True),
        (PoolLauncherConfig(name="pool"), True),
        (SlurmLauncherConfig(name="slurm"), True),
        (SlurmLauncherConfig(name="slurm", python="/opt/python"), False),
        (ModalLauncherConfig(name="modal"), False),
    ],
)
def test_what_is_installed_is_looked_at_only_where_jobs_find_it(launcher: LauncherConfig, same: bool) -> None:
    assert launcher.same_environment is same


def test_a_gpu_that_this_machine_lacks_is_named_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fvhydra.engines.choice.visible_gpus", list)
    with pytest.raises(UsageError, match=r"gpu=b200 needs 1 GPU\(s\), and this machine has none"):
        check_engine(job("Whole"), here=True)
    check_engine(job("Whole"), here=False)


def test_nothing_runs_and_nothing_is_left(cli: Cli, tmp_path: Path) -> None:
    done = cli("op=generate", f"engine._target_={__name__}.Limited", "model=ltx2", PYTHONPATH=str(Path.cwd()))
    assert done.code == 2
    assert "engine=diffusers gives pixel, and model=ltx2 is compared as latent." in done.text
    assert not (tmp_path / "outputs").exists()
