# SPDX-License-Identifier: Apache-2.0
"""``--help``: the groups with their options, the keys, examples. Reads the YAML files only; nothing is composed."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from fvhydra.config import op
from fvhydra.config.op import OpConfig
from fvhydra.config.root import Config
from fvhydra.config.schema import conf_dir
from fvhydra.core.errors import UsageError
from fvhydra.core.loading import load_class

_SCHEMA = re.compile(r"/schema/op@_here_:\s*(?P<dotted>\w+(\.\w+)+)")

_EXAMPLES = """\
Examples:
  fvhydra op=seed_ssim model=ltx2                    make references, look at them, type: upload
  fvhydra op=check_ssim model=ltx2                   compare with them; exit 0 pass, 1 regression, 3 nothing to compare
  fvhydra op=generate model=wan22_ti2v_5b prompt='A cat, sitting' seed=7
  fvhydra -m op=check_ssim model=ltx2,wan21_t2v_1_3b seed=0,1
  fvhydra op=check_ssim model=ltx2,wan21_t2v_1_3b launcher=pool sweep=monday        again: goes on where it stopped
  fvhydra @nightly                                   a sweep that fvhydra.yaml names
  fvhydra op=check_ssim model=ltx2 dry_run=true      what would run, and what is missing
  fvhydra op=check_ssim model=ltx2 --cfg job         every key with its value, and run nothing
  fvhydra op=doctor                                  what is missing on this machine?

Shell completion: eval "$(fvhydra -sc install=bash)"    Version: --version    Hydra's own flags: --hydra-help
Exit codes: 0 pass or done, 1 regression, 2 usage, 3 nothing comparable, 4 infrastructure, 5 inconclusive, 130 Ctrl-C"""


def text(folders: Sequence[Path], sweeps: Mapping[str, Sequence[str]]) -> str:
    """The whole help.

    Args:
        folders: Those of YAML files beside our own.
        sweeps: Words by the name that the project gives them.
    """
    dirs = [conf_dir(), *folders]
    fields = {field.name: field for field in dataclasses.fields(Config)}
    groups = [name for name in fields if any((folder / name).is_dir() for folder in dirs)]
    lines = ["Usage: fvhydra [-m] op=... model=... [group=option ...] [key=value ...]", ""]
    for group in (name for name in groups if name not in ("sampling", "runtime")):
        lines.append(f"{group}=   {fields[group].metadata['help']}")
        lines += [f"    {name:<20} {summary}".rstrip() for name, summary in _options(group, dirs)]
        lines.append("")
    if sweeps:
        lines += [
            "Sweeps of this project:",
            *(f"    @{name:<19} {' '.join(words)}" for name, words in sweeps.items()),
            "",
        ]
    lines.append("Keys:")
    lines += [f"    {name + '=':<20} {field.metadata['help']}" for name, field in fields.items() if name not in groups]
    lines += [
        f"    {'sampling.*, runtime.*':<20} Settings of groups are keys: sampling.num_frames=17, runtime.threads=2",
        "",
        "Options of the ops:",
    ]
    for name, schema in (_op_schemas() | _added_op_schemas(folders)).items():
        own = [field for field in dataclasses.fields(schema) if field not in dataclasses.fields(OpConfig)]
        lines += [
            f"    {name}: op.{field.name}=   {field.metadata['help']}"
            for field in own
            if field.name not in {base.name for base in dataclasses.fields(OpConfig)}
        ]
    return "\n".join([*lines, "", _EXAMPLES])


def _op_schemas() -> dict[str, type[OpConfig]]:
    from fvhydra.config.schema import SCHEMAS

    return {name: schema for name, schema in SCHEMAS["schema/op"].items() if schema is not op.OpConfig}


def _added_op_schemas(folders: Sequence[Path]) -> dict[str, type[OpConfig]]:
    """Those of ops from outside that name one; what may not or cannot be imported is said when the op is chosen."""
    found = {}
    for folder in folders:
        for file in sorted((folder / "op").glob("*.yaml")):
            named = _SCHEMA.search(file.read_text(encoding="utf-8", errors="replace"))
            with contextlib.suppress(UsageError):
                if named:
                    found[file.stem] = load_class(named["dotted"], "op", OpConfig)
    return found


def _options(group: str, dirs: Sequence[Path]) -> list[tuple[str, str]]:
    found = {path.stem: _summary(path) for folder in dirs for path in sorted((folder / group).glob("*.yaml"))}
    return sorted(found.items())


def _summary(path: Path) -> str:
    """The first comment of a YAML file, which every option has as its one line."""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if not line.startswith("#"):
                return ""
            if not line.startswith("# @package"):
                return line.lstrip("# ").strip()
    return ""
