# SPDX-License-Identifier: Apache-2.0
"""One component of a pipeline, run alone on calls that are kept in a file."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from fvhydra.engines.components import MOST_VALUES, ComponentOutput, ComponentRun, RecordedComponent
from fvhydra.engines.pipeline.calls import Calls, read_calls
from fvhydra.engines.pipeline.recording import POSITIONAL, dtype_of, is_scheduler
from fvhydra.engines.pipeline.trace import leaves


def run_component(pipe: Any, recorded: RecordedComponent, dtype: str | None) -> ComponentRun:
    """Run a component on what is recorded for it.

    Args:
        pipe: The pipeline that has it, or has not.
        recorded: The calls.
        dtype: What it computes in, as in ``float64``, on a copy; None: what it is in.

    Returns:
        What it gave, or why it did not run: an error of its own is a reason too.
    """
    name, _, method = recorded.name.partition(".")
    component = pipe.components.get(name)
    if component is None or (method and not hasattr(component, method)):
        return ComponentRun(missing=True, why=f"{type(pipe).__name__} has no {recorded.name} here")
    if recorded.file is None:
        return ComponentRun(why=recorded.why)
    wider = None if dtype is None else getattr(torch, dtype)
    try:
        calls = read_calls(recorded.file, torch.device(pipe._execution_device))
        with torch.no_grad():
            return ComponentRun(list(_outputs(component, method, calls, wider)))
    except Exception as error:
        return ComponentRun(why=f"{type(error).__name__}: {first_line(error)}")


def first_line(error: Exception) -> str:
    """The first line of an error's text, without its full stop."""
    return next(iter(str(error).strip().splitlines()), "").rstrip(".")


def _outputs(component: Any, method: str, calls: Calls, dtype: torch.dtype | None) -> Iterator[ComponentOutput]:
    if is_scheduler(component):
        for call in calls.calls:
            yield from _trajectory(copy.deepcopy(component), _in_dtype(call, calls.dtype, dtype or calls.dtype))
        return
    if dtype is not None:
        component = copy.deepcopy(component).to(dtype)
    function = getattr(component, method) if method else component
    signature = inspect.signature(function if method else component.forward)
    for number, call in enumerate(calls.calls):
        arguments = _in_dtype(_taken(signature, call), calls.dtype, dtype or dtype_of(component, []))
        positional = arguments.pop(POSITIONAL, [])
        yield from _kept(f"call {number} out", function(*positional, **arguments))


def _trajectory(scheduler: Any, call: Mapping[str, Any]) -> Iterator[ComponentOutput]:
    """A scheduler as a function: from its arguments to its schedule and, along model outputs that no model gave, to
    where a sample goes.
    """
    scheduler.set_timesteps(**_taken(inspect.signature(scheduler.set_timesteps), call["schedule"]))
    schedule = {key: getattr(scheduler, key, None) for key in ("timesteps", "sigmas")}
    yield from _kept("schedule", schedule)
    sample, drawn = call["sample"], {}
    if "generator" in inspect.signature(scheduler.step).parameters:
        drawn["generator"] = torch.Generator("cpu").manual_seed(0)
    timesteps = list(scheduler.timesteps)
    for number, timestep in enumerate(timesteps):
        given = call["model_output"].roll(number, -1)  # another in each step, and nothing more to keep
        sample = scheduler.step(given, timestep, sample, return_dict=False, **drawn)[0]
        if number in (0, len(timesteps) - 1):
            yield from _kept(f"step {number} out", sample)


def _taken(signature: inspect.Signature, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments without those that are unknown here and say nothing."""
    variadic = any(each.kind is each.VAR_KEYWORD for each in signature.parameters.values())
    known = {*signature.parameters, POSITIONAL}
    unknown = [] if variadic else [name for name in arguments if name not in known]
    if lost := [name for name in unknown if arguments[name] is not None]:
        raise TypeError(f"it takes no argument {', '.join(lost)} here")
    return {name: value for name, value in arguments.items() if name not in unknown}


def _in_dtype(value: Any, recorded: torch.dtype, dtype: torch.dtype) -> Any:
    """Tensors of the dtype that the recorded component computed in, in that of this one."""
    if isinstance(value, torch.Tensor):
        return value.to(dtype) if value.dtype == recorded else value
    if isinstance(value, dict):
        return {key: _in_dtype(item, recorded, dtype) for key, item in value.items()}
    if isinstance(value, list):
        return [_in_dtype(item, recorded, dtype) for item in value]
    return value


def _kept(name: str, value: Any) -> Iterator[ComponentOutput]:
    for path, tensor in leaves(name, value):
        flat = tensor.detach().reshape(-1)
        flat = torch.view_as_real(flat).reshape(-1) if flat.is_complex() else flat
        if flat.numel() > MOST_VALUES:
            places = torch.linspace(0, flat.numel() - 1, MOST_VALUES, dtype=torch.float64, device="cpu").long()
            flat = flat[places.to(flat.device)]
        kept = torch.float32 if flat.is_floating_point() and flat.dtype != torch.float64 else flat.dtype
        kept = kept if flat.is_floating_point() else torch.int64
        dtype = str(tensor.dtype).removeprefix("torch.")
        yield ComponentOutput(path, list(tensor.shape), dtype, flat.to("cpu", kept).numpy())
