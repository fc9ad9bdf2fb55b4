# SPDX-License-Identifier: Apache-2.0
"""``op=scaffold``: the files of a new family, with a mark wherever a person has to fill something in."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from fvhydra.config.op import ScaffoldConfig
from fvhydra.config.schema import conf_dir
from fvhydra.core.errors import UsageError
from fvhydra.core.files import given_path, write_text
from fvhydra.core.port import UNFILLED
from fvhydra.core.port_file import port_path, read_port, unfilled
from fvhydra.core.project import config_folders, project_settings
from fvhydra.core.result import RunResult
from fvhydra.core.untrusted import read_text
from fvhydra.core.verdict import Verdict
from fvhydra.ops.base import Op
from fvhydra.ops.context import Context

TIERS = ("smoke", "default", "full_quality")


class Scaffold(Op):
    """Writes files that are not there yet, and no others. ``op.check=true`` lists what is to be filled in."""

    config: ScaffoldConfig
    writes_run_folder = False
    uses_model = False

    def preflight(self, context: Context) -> None:
        """Refuse a family that fvhydra has already, and a command that names no folder for its choices."""
        if self.config.family is None:
            raise UsageError("op=scaffold begins a family, and model= names none.", "op=scaffold model=<family>")
        if (conf_dir() / "model" / f"{self.config.family}.yaml").is_file():
            raise UsageError(f"model={self.config.family} is one of fvhydra already.", "Give the family another name.")
        _folder(context)

    def run(self, context: Context) -> RunResult:
        """Write what is missing, or say what is not filled in."""
        targets = _targets(context, str(self.config.family))
        if self.config.check:
            lines = [line for template, path in targets.items() for line in _open_ends(template, path)]
            verdict = Verdict.REGRESSION if lines else Verdict.PASS
            message = f"{len(lines)} thing(s) to fill in." if lines else f"{len(targets)} files are filled in."
            return RunResult(op=self.config.name, verdict=verdict, message=message, notes=lines)
        facts, notes = _facts(context, str(self.config.family)), []
        for template, path in targets.items():
            if path.exists():
                notes.append(f"{path} is there and stays as it is.")
            else:
                write_text(path, _environment().get_template(template).render(facts))
                notes.append(f"{path} written.")
        message = f"Fill in what says {UNFILLED}; op.check=true lists it."
        return RunResult(op=self.config.name, verdict=Verdict.DONE, message=message, notes=notes)


def _folder(context: Context) -> Path:
    """The folder of choices that the command, its environment or the project names first."""
    folders = config_folders(context.command, project_settings())
    if not folders:
        raise UsageError(
            "op=scaffold needs a folder for the choices of the family, and the command names none.",
            "mkdir conf, and add --config-dir conf; or name it in fvhydra.yaml (config_dirs).",
        )
    return folders[0].path


def _targets(context: Context, family: str) -> dict[str, Path]:
    """Templates to files."""
    folder, module = _folder(context), _module(family)
    return {
        "model.yaml.jinja": folder / "model" / f"{family}.yaml",
        **{f"{tier}.yaml.jinja": folder / "sampling" / family / f"{tier}.yaml" for tier in TIERS},
        "prompts.yaml.jinja": folder / "prompts" / f"{family}.yaml",
        "op_smoke.yaml.jinja": folder / "op" / f"{family}_smoke.yaml",
        "op_parity.yaml.jinja": folder / "op" / f"{family}_parity.yaml",
        "tiny.py.jinja": Path(f"{module}_tiny.py"),
        "port.yaml.jinja": port_path(given_path(context.config.runtime.ports_dir), family),
        "example.sh.jinja": Path("examples") / f"{module}.sh",
    }


def _facts(context: Context, family: str) -> dict[str, str]:
    named = f"--config-dir {shlex.quote(str(_folder(context)))}"
    example = f"fvhydra {named} op=generate model={family} prompt_index=0"
    return {"family": family, "module": _module(family), "named": named, "example": example}


def _module(family: str) -> str:
    return re.sub(r"\W", "_", family)


def _open_ends(template: str, path: Path) -> list[str]:
    """What of a file is not filled in, a line each."""
    if not path.is_file():
        return [f"{path} is missing: op=scaffold writes it."]
    if path.suffix == ".yaml":
        lines = [f"{path}: {key} is not filled in" for key in unfilled(path)]
        if template == "port.yaml.jinja" and not lines:
            read_port(path)  # says what is wrong with it
        return lines
    marked = [number for number, line in enumerate(read_text(path).splitlines(), 1) if UNFILLED in line]
    return [f"{path}: line {number} is not filled in" for number in marked]


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("fvhydra.ops", "templates/scaffold"), undefined=StrictUndefined, keep_trailing_newline=True
    )
