# SPDX-License-Identifier: Apache-2.0
"""YAML files of folders that a command adds: what they bring, and what is not theirs to say."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from fvhydra.config.load import build_config
from fvhydra.config.problems import ConfigError
from fvhydra.config.root import Config
from fvhydra.config.schema import conf_dir, register
from fvhydra.core import trust
from fvhydra.core.errors import UsageError
from fvhydra.core.project import ConfigFolder
from fvhydra.core.trusted_words import trust_config_dirs
from fvhydra.launch import plugins
from tests.launch.jobs import know_everything

MODULE = """
from typing import Annotated
from pydantic import Field
from pydantic.dataclasses import dataclass
from fvhydra.config.engine import EngineConfig
from fvhydra.config.fields import doc

@dataclass
class OwnConfig(EngineConfig):
    '''An engine with a key of its own.'''

    speed: Annotated[int, Field(ge=1, le=9)] = doc("How quick", 3)

class Other: ...
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "own_module.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "conf").mkdir()
    yield tmp_path / "conf"
    plugins.register()
    sys.modules.pop("own_module", None)


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def composed(folder: Path, *words: str, origin: Any = "command") -> Config:
    know_everything()
    register()
    plugins.register([ConfigFolder(folder, origin)])
    if origin != "project":  # as the command line does
        trust_config_dirs([folder])
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return build_config(compose("config", overrides=list(words)))


OWN = "defaults:\n  - /schema/engine@_here_: own_module.OwnConfig\n  - _self_\n_target_: own_module.Own\nname: own\n"


@pytest.mark.parametrize("origin", ["command", "environment"])
def test_a_choice_with_keys_of_its_own_is_checked_like_ours(folder: Path, origin: str) -> None:
    write(folder, "engine/own.yaml", OWN + "speed: 5\n")
    engine: Any = composed(folder, "engine=own", origin=origin).engine
    assert type(engine).__name__ == "OwnConfig" and engine.speed == 5
    with pytest.raises(ConfigError, match=r"engine\.speed=12: must be less than or equal to 9"):
        composed(folder, "engine=own", "engine.speed=12", origin=origin)


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [
        ("own_module.Gone", "has no attribute 'Gone'"),
        ("gone.Gone", "No module named 'gone'"),
        ("own_module.Other", "is not a class derived from fvhydra.config.engine.EngineConfig"),
    ],
)
def test_a_schema_that_is_none_is_named(folder: Path, schema: str, sentence: str) -> None:
    write(folder, "engine/own.yaml", OWN.replace("own_module.OwnConfig", schema))
    with pytest.raises(UsageError, match=sentence):
        composed(folder, "engine=own")


CALLBACK = "callbacks: {x: {_target_: shutil.copy, src: a, dst: b}}"


@pytest.mark.parametrize("origin", ["command", "project"])
@pytest.mark.parametrize(
    ("files", "key"),
    [
        ({"prompts/x.yaml": f"# @package _global_\nhydra: {{{CALLBACK}}}"}, "hydra"),
        ({"prompts/x.yaml": f"# @package hydra\n{CALLBACK}"}, "hydra"),
        ({"prompts/x.yaml": "# @package hydra.callbacks\nx: {_target_: shutil.copy}"}, "hydra.callbacks"),
        ({"prompts/x.yaml": "defaults: [{override /hydra/launcher: basic}]\nname: x"}, "override /hydra/launcher"),
        (
            {"prompts/x.yaml": "defaults: [{/gpu@hydra.callbacks: y}]\nname: x", "gpu/y.yaml": "a: 1"},
            "/gpu@hydra.callbacks",
        ),
        ({"prompts/x.yaml": "defaults: [{/gpu@_global_: y}]\nname: x", "gpu/y.yaml": f"hydra: {{{CALLBACK}}}"}, "."),
        (
            {"prompts/x.yaml": "defaults: [/hydra/callbacks/y]\nname: x", "hydra/callbacks/y.yaml": "a: 1"},
            "/hydra/callbacks/y",
        ),
    ],
)
def test_no_file_configures_hydra(folder: Path, origin: str, files: dict[str, str], key: str) -> None:
    for name, text in files.items():
        write(folder, name, text)
    with pytest.raises(UsageError, match=key):
        composed(folder, "prompts=x", origin=origin)


@pytest.mark.parametrize(
    ("name", "text", "key"),
    [
        ("engine/x.yaml", "_target_: own_module.Own\nname: x", "engine._target_=own_module.Own"),
        ("metrics/x.yaml", "use: {a: {b: {_target_: own_module.Own}}}", "metrics.use.a.b._target_=own_module.Own"),
        ("engine/x.yaml", OWN.replace("own_module.Own\n", "fvhydra.engines.mock.MockEngine\n"), "own_module.OwnConfig"),
        ("engine/x.yaml", "_target_: fvhydra.engines.mock.MockEngine\nname: x\noptions: {_args_: [1]}", "_args_"),
        ("prompts/x.yaml", "name: x\nentries: [{text: '${oc.env:HF_TOKEN}'}]", "prompts.entries.text"),
        ("prompts/x.yaml", "# @package launcher\nsetup: [rm]", "launcher"),
        ("prompts/x.yaml", "# @package _global_\nlauncher: {setup: [rm]}", "launcher.setup"),
        ("prompts/x.yaml", "defaults: [{/gpu@launcher: cpu}]\nname: x", "launcher"),
        ("store/x.yaml", "_target_: fvhydra.stores.hub.HubStore\nname: x\nendpoint: https://x", "store.endpoint"),
    ],
)
def test_a_file_of_a_projects_folder_gives_values_and_nothing_else(
    folder: Path, name: str, text: str, key: str
) -> None:
    write(folder, name, text)
    with pytest.raises(UsageError) as caught:
        composed(folder, f"{name.partition('/')[0]}=x", origin="project")
    assert key in caught.value.message and str(folder / name) in caught.value.message
    assert "own_module" not in sys.modules, "nothing of it was imported"


def test_a_registered_class_may_be_named_by_a_project(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "registered", lambda: {"own_module.Own", "own_module.OwnConfig"})
    write(folder, "engine/own.yaml", OWN + "speed: 5\n")
    write(folder, "prompts/mine.yaml", "name: mine\nentries: [{text: A boat.}]\n")
    config = composed(folder, "engine=own", "prompts=mine", origin="project")
    assert config.engine.name == "own" and config.prompts.entries[0].text == "A boat."


def test_a_bomb_is_refused_before_anything_is_made_of_it(folder: Path) -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for last, name in zip("abcdefgh", "bcdefghi", strict=True):
        bomb += f"{name}: &{name} [{', '.join(f'*{last}' for _ in range(10))}]\n"
    write(folder, "prompts/x.yaml", bomb)
    with pytest.raises(UsageError, match=r"prompts/x\.yaml"):
        composed(folder, "prompts=x")
