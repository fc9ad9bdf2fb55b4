# SPDX-License-Identifier: Apache-2.0
"""What a loaded pipeline is held to: the index of its weights, and their names and shapes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from fvhydra.core.checks import NOT_RUN, Check, check, listed
from fvhydra.core.errors import InfrastructureError, UsageError, nearest
from fvhydra.engines.pipeline.arguments import ARGUMENT_OF, build_call
from fvhydra.engines.quiet import quiet_libraries

if TYPE_CHECKING:
    from fvhydra.core.case import Case

INDEX = "model_index.json"
NO_SUCH_ARGUMENT = "fvhydra_no_such_argument"


def refuse_missing(pipe: Any, source: str) -> None:
    """Refuse a pipeline of which weights were not in the files: diffusers leaves those without values.

    Raises:
        InfrastructureError: Names them.
    """
    for name, component in pipe.components.items():
        if isinstance(component, torch.nn.Module):
            empty = [key for key, value in component.state_dict(keep_vars=True).items() if value.is_meta]
            if empty:
                raise InfrastructureError(
                    f"{source}: no weights of {name} ({type(component).__name__}): {listed(sorted(empty))}.",
                    "The checkpoint was converted for another version of the class, or is incomplete.",
                )


def inspected(pipe: Any, folder: Path | None, aliases: tuple[str, ...]) -> Iterator[Check]:
    """Hold a pipeline to the folder that its weights come from.

    Args:
        pipe: The pipeline.
        folder: Of its weights, in the layout of ``save_pretrained``; None where there is none.
        aliases: Classes that may stand for the one that the index names.
    """
    if folder is None or not (folder / INDEX).is_file():
        why = f"there is no {INDEX}: these weights come from no folder"
        yield from (Check(name, NOT_RUN, why) for name in ("pipeline class", "required modules", "strict loading"))
        return
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    yield _class(type(pipe).__name__, str(index.get("_class_name")), aliases)
    yield from _modules(pipe, index)
    for name, component in pipe.components.items():
        if isinstance(component, torch.nn.Module):
            yield _strict(name, component, folder / name)


def _class(name: str, declared: str, aliases: tuple[str, ...]) -> Check:
    known = (name, *aliases)
    close = nearest(declared, known) if declared not in known else ""
    allowed = f"exactly {name}" + (f", or its alias {', '.join(aliases)}" if aliases else "")
    return check("pipeline class", declared in known, f"{INDEX} names {declared}.{close}".rstrip("."), allowed)


def _modules(pipe: Any, index: Mapping[str, Any]) -> Iterator[Check]:
    """Required modules are those of the index; optional ones stay optional."""
    optional = {*type(pipe)._optional_components}
    expected, _ = type(pipe)._get_signature_keys(type(pipe))
    declared = {name: entry for name, entry in index.items() if isinstance(entry, list) and len(entry) == 2}
    present = {name for name, entry in declared.items() if entry[0] is not None}
    required = {*expected} - optional
    missing, unknown = sorted(required - present), sorted(present - {*expected})
    given = f"missing {listed(missing)}; unknown {listed(unknown)}"
    yield check("required modules", not missing and not unknown, given, f"{', '.join(sorted(required))}")
    here = {name for name, part in pipe.components.items() if part is not None}
    lost, added = sorted((present & {*expected}) - here), sorted((optional & here) - present)
    given = f"declared and not loaded: {listed(lost)}; loaded and not declared: {listed(added)}"
    yield check("optional modules", not lost and not added, given, "loaded where the index names them, and only there")


def _strict(name: str, component: torch.nn.Module, folder: Path) -> Check:
    """The component's parameters and buffers against the names and shapes in its files."""
    if not any(folder.glob("*.safetensors")):
        return Check(f"weights of {name}", NOT_RUN, f"{folder.name}/ has no .safetensors file")
    of_transformers = type(component).__module__.startswith("transformers.")
    missing, unexpected, shapes = (_told if of_transformers else _compared)(component, folder)
    given = f"missing {listed(missing)}; unexpected {listed(unexpected)}; other shapes {listed(shapes)}"
    allowed = f"the {len(component.state_dict())} names and shapes of {type(component).__name__}"
    return check(f"weights of {name}", not (missing or unexpected or shapes), given, allowed)


def _told(component: Any, folder: Path) -> tuple[list[str], list[str], list[str]]:
    """What transformers says: it renames weights as it loads them, so names in files are not those of modules."""
    with quiet_libraries():
        _, told = type(component).from_pretrained(
            folder, output_loading_info=True, device_map="meta", ignore_mismatched_sizes=True, local_files_only=True
        )
    shapes = sorted(str(key[0] if isinstance(key, tuple) else key) for key in told["mismatched_keys"])
    return sorted(told["missing_keys"]), sorted(told["unexpected_keys"]), shapes


def _compared(component: torch.nn.Module, folder: Path) -> tuple[list[str], list[str], list[str]]:
    from safetensors import safe_open

    there: dict[str, list[int]] = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as archive:
            there |= {key: list(archive.get_slice(key).get_shape()) for key in archive.keys()}  # noqa: SIM118
    state = component.state_dict()
    here = {key: list(value.shape) for key, value in state.items()}
    both = here.keys() & there.keys()
    stored = {state[key].data_ptr() for key in both}
    # a tied weight is in the file once
    missing = sorted(key for key in here.keys() - both if state[key].data_ptr() not in stored)
    return missing, sorted(there.keys() - both), sorted(key for key in both if here[key] != there[key])


def keeps_apart(pipe: Any) -> Check:
    """A second pipeline of the same parts: what is changed in it is changed in neither the first nor the next."""
    before = _state(pipe)
    second = _another(pipe)
    born = _state(second)
    second.register_modules(**dict.fromkeys(second.components))
    changed = [what for what, now in _state(pipe).items() if now != before[what]]
    inherited = [what for what, now in _state(_another(pipe)).items() if now != born[what]]
    given = f"changed in the first {listed(changed)}; in the next {listed(inherited)}"
    return check("second pipeline", not changed and not inherited, given, "nothing of it reaches another pipeline")


def _another(pipe: Any) -> Any:
    _, settings = type(pipe)._get_signature_keys(type(pipe))
    return type(pipe)(**pipe.components, **{name: pipe.config[name] for name in settings if name in pipe.config})


def _state(pipe: Any) -> dict[str, Any]:
    """What decides which modules a pipeline has and how they are called."""
    kind = type(pipe)
    expected, settings = kind._get_signature_keys(kind)
    return {
        "modules": {name: type(part).__name__ for name, part in pipe.components.items()},
        "required modules": sorted({*expected}),
        "optional modules": sorted(kind._optional_components),
        "settings": {name: pipe.config.get(name) for name in settings},
    }


def defaults(case: Case, parameters: Mapping[str, Any], pipeline: str) -> Check:
    """The arguments of the call are those of the settings, or where these are null of the preset; each has a source."""
    call = build_call(case, parameters, pipeline)
    preset = case.model.presets[case.sampling.preset] if case.sampling.preset is not None else None
    said, wrong = [], []
    for field in dataclasses.fields(case.sampling):
        argument = ARGUMENT_OF.get(field.name, field.name)
        if argument not in parameters:
            continue
        given, default = getattr(case.sampling, field.name), preset.defaults.get(field.name) if preset else None
        if field.name == "negative_prompt":
            given = call.arguments.get(argument)  # that of the case, and only where it takes part
        used = call.arguments.get(argument, parameters[argument].default)
        wanted = given if given is not None else default.value if default else used
        source = f"tier={case.tier.name} or typed" if given is not None else f"{pipeline}.__call__"
        source = default.source if default is not None and default.value == used else source
        said.append(f"{field.name}={used} ({source})")
        if used != wanted:
            wrong.append(f"{field.name} is {used} and should be {wanted}")
    whose = f"those of preset {case.sampling.preset}, or of the settings" if preset else "those of the settings"
    return check("defaults", not wrong, "; ".join([*wrong, *said]), whose)


def refuses_unknown_arguments(case: Case, parameters: Mapping[str, Any], pipeline: str) -> Check:
    """An argument that the pipeline does not have is refused, not ignored."""
    call = dict(case.model.call) | {NO_SUCH_ARGUMENT: 1}
    asked = dataclasses.replace(case, model=dataclasses.replace(case.model, call=call))
    try:
        build_call(asked, parameters, pipeline)
    except UsageError as error:
        return check("unknown arguments", NO_SUCH_ARGUMENT in error.message, error.message, "refused by name")
    return check("unknown arguments", False, "ignored", "refused by name")
