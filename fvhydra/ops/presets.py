# SPDX-License-Identifier: Apache-2.0
"""``op=presets``: the presets of all models, with their defaults and where each stands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fvhydra.config.model import Preset
from fvhydra.config.op import PresetsConfig
from fvhydra.config.schema import conf_dir
from fvhydra.core.errors import UsageError
from fvhydra.core.project import config_folders, project_settings
from fvhydra.core.result import RunResult
from fvhydra.core.untrusted import read_yaml, typed
from fvhydra.core.verdict import Verdict
from fvhydra.ops.base import Op
from fvhydra.ops.context import Context

_MOST_BASES = 16


class Presets(Op):
    """Reads the YAML files of models; nothing is composed, loaded or fetched."""

    config: PresetsConfig
    writes_run_folder = False
    uses_model = False

    def run(self, context: Context) -> RunResult:
        """One line a preset, and one for each of its defaults and stages."""
        folders = [conf_dir(), *(folder.path for folder in config_folders(context.command, project_settings()))]
        files = {path.stem: path for folder in reversed(folders) for path in sorted((folder / "model").glob("*.yaml"))}
        lines: list[str] = []
        count = 0
        for name in sorted(files):
            values = _values(name, files)
            presets = typed(dict[str, Preset], values.get("presets") or {}, f"{files[name]}: presets")
            count += len(presets)
            for preset_name, preset in presets.items():
                lines += _lines(str(values.get("family")), name, preset_name, preset)
        message = f"{count} preset(s) of {len(files)} models; sampling.preset=<name> says whose settings those are."
        return RunResult(op=self.config.name, verdict=Verdict.DONE, message=message, notes=lines)


def _values(name: str, files: dict[str, Path], depth: int = 0) -> dict[str, Any]:
    """The values of a model's file, with those of the models that it begins as."""
    values = read_yaml(files[name])
    if not isinstance(values, dict) or depth > _MOST_BASES:
        raise UsageError(f"{files[name]} is no model: it must hold keys, and begin as another at most.")
    found: dict[str, Any] = {}
    for base in values.pop("defaults", None) or []:
        if isinstance(base, str) and base in files and base != name:
            found |= _values(base, files, depth + 1)
    return found | values


def _lines(family: str, model: str, name: str, preset: Preset) -> Iterator[str]:
    yield f"{family}  {name}  version {preset.version}  model={model}"
    for key, default in preset.defaults.items():
        yield f"  {key}={default.value}  {default.source}"
    for stage, names in preset.stage_schemas.items():
        yield f"  stage {stage}: {', '.join(names) or 'nothing'}"
