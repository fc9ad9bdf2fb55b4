# SPDX-License-Identifier: Apache-2.0
"""Settings: YAML of added folders, a project's own file, and every key of the schema."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from functools import cache
from pathlib import Path

from fvhydra.config.root import Config
from fvhydra.config.schema import SCHEMAS, _every_field, groups
from tests.fuzz.mutations import bytes_mutated
from tests.fuzz.place import Place

_PLAN = ("op=generate", "engine=mock", "model=wan22_ti2v_5b", "dry_run=true")

_VALUES = (
    *("[1,2]", "{a: 1}", "99999999999999999999", "-99999999999999999999", "-1", "1e999", "nan", "'x y'", "''", "null"),
    *("~nobody-here/x", "/dev/zero", "../../outside/canary", "a" * 300, "0.5", "true", "'${oc.env:HOME}'", "[[[[1]]]]"),
)

_CALLBACK = "hydra: {callbacks: {x: {_target_: shutil.copy, src: /etc/passwd, dst: ran}}}\n"
_BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True)
)

_FOLDER = {
    "prompts/x.yaml": "# X\nname: x\nentries:\n  - text: a cat\n    samples: 2\n",
    "engine/x.yaml": "# X\n_target_: fvhydra.engines.mock.MockEngine\nname: x\noptions: {}\n",
    "metrics/x.yaml": "# X\nuse:\n  common:\n    ssim: {}\n",
    "gpu/x.yaml": "# X\nname: x\nfolder: CPU\npattern: .*\ncount: 0\n",
    "backend/x.yaml": "# X\nname: x\nfolder: TORCH_SDPA\n",
    "store/x.yaml": "# X\ndefaults: [/schema/store@_here_: local, _self_]\n_target_: fvhydra.stores.local.LocalStore\n"
    "name: x\npath: theirs\n",
}

_LINES = (
    _CALLBACK,
    "# @package hydra\ncallbacks: {x: {_target_: shutil.copy}}\n",
    "# @package _global_\nhydra: {run: {dir: ../outside}}\n",
    "defaults: [{override /hydra/launcher: basic}]\n",
    _BOMB,
    "[" * 50_000,
    "_target_: os.system\n",
    "_target_: fvhydra.__main__.main\n",
    "_target_: fvhydra.engines.base.Engine\n",
    "name: ../../outside\n",
    "folder: ../../outside\n",
    "endpoint: http://evil\n",
    "samples: 100000000\n",
    "count: 99999999999999999999\n",
    "name: [a]\n",
    "entries: [{text: 5, image: /dev/zero}]\n",
    "!!python/object/apply:os.system ['touch ran']\n",
    "unknown: 1\n",
)


def added_folder(dice: random.Random, place: Place, template: Path) -> Counter[str]:
    """A file of a folder that ``--config-dir`` names."""
    place.make()
    name, text = dice.choice(sorted(_FOLDER.items()))
    path = place.work / "mine" / name
    path.parent.mkdir(parents=True)
    way = dice.random()
    if way < 0.4:
        path.write_bytes(bytes_mutated(text.encode(), dice))
    else:
        line = dice.choice(_LINES)
        path.write_text(line + text if line.startswith("#") or way < 0.7 else text + line)
    group = name.split("/")[0]
    return Counter([place.tried(("--config-dir", "mine", *_PLAN, f"{group}=x"))])


_PROJECT = "config_dirs: [mine]\noverrides: [seed=3]\nsweeps: {night: [seed=1, prompt=a cat]}\n"
_PROJECT_LINES = (
    "overrides: [op.confirm=upload]\n",
    "overrides: [hydra.run.dir=/tmp/x]\n",
    "overrides: [engine._target_=os.system]\n",
    "overrides: [engine.python=/bin/sh]\n",
    "overrides: ['prompt=${oc.env:HOME}']\n",
    "overrides: [launcher.setup=[id]]\n",
    "overrides: [store.endpoint=http://evil]\n",
    "overrides: [runtime.cache_dir=../outside]\n",
    "overrides: ['--config-dir=/']\n",
    "overrides: [[]]\n",
    "config_dirs: [../../../../..]\n",
    "config_dirs: [/dev/zero]\n",
    "config_dirs: ['~nobody-here']\n",
    "sweeps: {'../x': [seed=1]}\n",
    "sweeps: {night: seed=1}\n",
    "unknown: 1\n",
    _BOMB,
    _CALLBACK,
    "[" * 50_000,
)


def project(dice: random.Random, place: Place, template: Path) -> Counter[str]:
    """``fvhydra.yaml`` of the folder that a command is given in."""
    place.make()
    (place.work / "mine" / "prompts").mkdir(parents=True)
    (place.work / "mine" / "prompts" / "x.yaml").write_text(_FOLDER["prompts/x.yaml"])
    changed = bytes_mutated(_PROJECT.encode(), dice) if dice.random() < 0.4 else dice.choice(_PROJECT_LINES).encode()
    (place.work / "fvhydra.yaml").write_bytes(changed)
    return Counter([place.tried(_PLAN)])


def key(dice: random.Random, place: Place, template: Path) -> Counter[str]:
    """Any key, with any value."""
    place.make()
    words, name = dice.choice(_keys())
    value = dice.choice(_VALUES)
    return Counter([place.tried((*words, "dry_run=true", f"{name}={value}"))])


@cache
def _keys() -> list[tuple[tuple[str, ...], str]]:
    """Every key, with the words that make it one."""
    found: dict[str, tuple[tuple[str, ...], str]] = {}
    for name, _ in _every_field():
        group, dot, field = name.partition(".")
        if not dot:
            if group not in groups():
                found[name] = (_PLAN[:3], name)
            continue
        for choice in _choices(group, field):
            words = tuple(word for word in _PLAN[:3] if not choice or not word.startswith(f"{group}="))
            found[f"{choice} {name}"] = ((*words, *choice.split()), name)
    return [found[name] for name in sorted(found)]


_WORDS = {
    "op": "op={}",
    "launcher": "launcher={}",
    "store": "store={}",
    "prompts": "prompts={}",
}
_NEEDS = {"hub": "store.repo_id=org/refs", "suite": "", "modal": "", "store": "", "launcher": "", "op": ""}


def _choices(group: str, field: str) -> list[str]:
    """The choices of a group that have a field, as words; an empty one where all have."""
    first = field.split(".")[0]
    base = {item.name for item in dataclasses.fields(_base(group))}
    if first in base or f"schema/{group}" not in SCHEMAS:
        return [""]
    having = [
        choice
        for choice, schema in SCHEMAS[f"schema/{group}"].items()
        if first in {item.name for item in dataclasses.fields(schema)}
    ]
    named = {"suite": "vbench"}
    return [f"{_WORDS[group].format(named.get(choice, choice))} {_NEEDS.get(choice, '')}".strip() for choice in having]


def _base(group: str) -> type:
    import typing

    found: type = typing.get_type_hints(Config)[group]
    return found
