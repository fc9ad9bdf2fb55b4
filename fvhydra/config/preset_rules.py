# SPDX-License-Identifier: Apache-2.0
"""What a preset of a model may say, and what may be said of one: a name that is unknown is a problem, not ignored."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from fvhydra.config.model import ModelConfig, Preset
from fvhydra.config.problems import nearest
from fvhydra.config.sampling import Sampling


def problems(model: ModelConfig, sampling: Sampling) -> list[str]:
    """What is wrong with the presets of a model and with what ``sampling`` says of them, one sentence each."""
    found = [problem for name, preset in model.presets.items() for problem in _of(name, preset)]
    if sampling.preset is not None and sampling.preset not in model.presets:
        allowed = ", ".join(model.presets) or f"none: model={model.name} has no presets"
        hint = nearest(sampling.preset, model.presets)
        found.append(f"sampling.preset={sampling.preset}: must be one of {allowed}.{hint}")
    else:
        found += _overrides(model, sampling)
    return found


def _of(name: str, preset: Preset) -> Iterator[str]:
    known = [field.name for field in dataclasses.fields(Sampling) if field.name not in ("preset", "stage_overrides")]
    for key, default in preset.defaults.items():
        where = f"model.presets.{name}.defaults.{key}"
        if key not in known:
            yield f"{where}: sampling has no such key.{nearest(key, known)}"
        if not default.source.strip():
            yield f"{where}.source: must say where the default stands."


def _overrides(model: ModelConfig, sampling: Sampling) -> Iterator[str]:
    schemas = model.presets[sampling.preset].stage_schemas if sampling.preset is not None else {}
    for stage, given in sampling.stage_overrides.items():
        where = f"sampling.stage_overrides.{stage}"
        if stage not in schemas:
            listed = ", ".join(schemas) or "none"
            whose = sampling.preset or "null"
            yield f"{where}: sampling.preset={whose} has no such stage.{nearest(stage, schemas)} Allowed: {listed}."
        elif not isinstance(given, dict):
            yield f"{where}={given!r}: must be names with values, of {', '.join(schemas[stage])}."
        else:
            for name in given:
                if name not in schemas[stage]:
                    listed = ", ".join(schemas[stage]) or "none"
                    yield f"{where}.{name}: there is no such name.{nearest(name, schemas[stage])} Allowed: {listed}."
