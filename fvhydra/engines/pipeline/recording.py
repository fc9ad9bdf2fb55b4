# SPDX-License-Identifier: Apache-2.0
"""What the components of a pipeline are called with in one generation, kept so that each can be run alone."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fvhydra.engines.components import CAPTURED, SEEDED, RecordedComponent
from fvhydra.engines.pipeline.calls import Calls, detached, write_calls
from fvhydra.engines.pipeline.hooks import around_forward, hidden
from fvhydra.engines.pipeline.times import DECODERS

POSITIONAL = "*"
HALVES = {"encode": "decode", "decode": "encode"}
"""Methods of a VAE, each with its inverse."""


class Recorder:
    """Keeps the first and the last call of each component, as it is made: a component that fails has been called."""

    def __init__(self) -> None:
        self._calls: dict[str, list[dict[str, Any]]] = {}
        self._shapes: dict[str, list[int]] = {}

    @contextlib.contextmanager
    def attached(self, pipe: Any) -> Iterator[None]:
        """Keep calls until the block ends."""
        with contextlib.ExitStack() as stack:
            for name, component in pipe.components.items():
                if name in DECODERS:
                    for method in HALVES:
                        stack.enter_context(self._method(component, method, f"{name}.{method}"))
                elif isinstance(component, torch.nn.Module):
                    stack.enter_context(self._module(component, name))
                elif is_scheduler(component):
                    stack.enter_context(self._scheduler(component, name))
            yield

    def written(self, pipe: Any, folder: Path, failed: str) -> Iterator[RecordedComponent]:
        """Write the calls of each component below ``folder``."""
        for name, component in pipe.components.items():
            parts = [f"{name}.{method}" for method in HALVES] if name in DECODERS else [name]
            if isinstance(component, torch.nn.Module) or is_scheduler(component):
                for part in parts:
                    yield self._written(part, component, pipe, folder / f"{part}.safetensors", failed)

    def _written(self, part: str, component: Any, pipe: Any, file: Path, failed: str) -> RecordedComponent:
        found = RecordedComponent(part, type(component).__name__, inputs=CAPTURED)
        calls = self._calls.get(part, []) or self._of_another_expert(part, component, pipe)
        if not calls and "." in part:
            calls, found.inputs, found.needed = self._seeded(part, component), SEEDED, bool(failed)
        if not calls:
            found.inputs, found.why = "", "the official generation did not call it" + (f": {failed}" if failed else "")
            return found
        try:
            write_calls(file, Calls(dtype_of(component, calls), calls))
        except TypeError as error:
            found.inputs, found.why = "", str(error)
            return found
        found.file, found.calls = file, len(calls)
        return found

    def _of_another_expert(self, part: str, component: Any, pipe: Any) -> list[dict[str, Any]]:
        """A second denoiser of the same class takes what the first does, and few steps may not come to it."""
        first = part.rstrip("_0123456789")
        same = first != part and type(pipe.components.get(first)) is type(component)
        return self._calls.get(first, []) if same else []

    def _seeded(self, part: str, component: Any) -> list[dict[str, Any]]:
        """Random values of the shape that the other half of a VAE gave: of a picture in [-1, 1], of a latent normal."""
        name, _, method = part.partition(".")
        shape = self._shapes.get(f"{name}.{HALVES[method]}") or self._latent_shape(component, method)
        if shape is None or not hasattr(component, method):
            return []
        drawn = np.random.default_rng(0)
        values = drawn.uniform(-1, 1, shape) if method == "encode" else drawn.standard_normal(shape)
        given = torch.from_numpy(values).to(dtype_of(component, []))
        signature = inspect.signature(getattr(component, method))
        return [named(signature, (given,), {"return_dict": False})]

    def _latent_shape(self, component: Any, method: str) -> list[int] | None:
        """What the loop steps, where it has the channels that the VAE decodes: a generation that ended before it."""
        shape = self._shapes.get("sample")
        keys = ("z_dim", "latent_channels", "decoder_input_channels")
        channels = {component.config.get(key) for key in keys} - {None}
        fits = method == "decode" and shape is not None and len(shape) > 2 and shape[1] in channels
        return shape if fits else None

    def _keep(self, name: str, arguments: dict[str, Any]) -> None:
        kept = self._calls.setdefault(name, [])
        del kept[1:]
        kept.append(detached(arguments))

    # ------------------------------------------------------------------ hooks
    @contextlib.contextmanager
    def _module(self, module: torch.nn.Module, name: str) -> Iterator[None]:
        signature = inspect.signature(module.forward)

        def before(_: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self._keep(name, named(signature, args, kwargs))

        with around_forward(module, before, lambda *_: None):
            yield

    @contextlib.contextmanager
    def _method(self, owner: Any, name: str, label: str) -> Iterator[None]:
        method: Callable[..., Any] | None = getattr(owner, name, None)
        if method is None:
            yield
            return
        signature = inspect.signature(method)

        @functools.wraps(method)  # pipelines look at signatures
        def kept(*args: Any, **kwargs: Any) -> Any:
            self._keep(label, named(signature, args, kwargs))
            result = method(*args, **kwargs)
            given: Any = result[0] if isinstance(result, tuple) else next(iter(vars(result).values()), None)
            given = given if isinstance(given, torch.Tensor) else getattr(given, "mean", None)  # of a distribution
            if given is not None:
                self._shapes[label] = list(given.shape)
            return result

        with hidden(owner, name, kept):
            yield

    @contextlib.contextmanager
    def _scheduler(self, scheduler: Any, name: str) -> Iterator[None]:
        """Its schedule and the shape that it steps. The class of the instance changes: pipelines copy schedulers."""
        kind: Any = type(scheduler)
        of_schedule, of_step = inspect.signature(kind.set_timesteps), inspect.signature(kind.step)
        schedule: dict[str, Any] = {}

        @functools.wraps(kind.set_timesteps)
        def set_timesteps(this: Any, *args: Any, **kwargs: Any) -> Any:
            if this is scheduler:
                schedule.clear()
                schedule.update(named(of_schedule, (this, *args), kwargs))
                del schedule["self"]
            return kind.set_timesteps(this, *args, **kwargs)

        @functools.wraps(kind.step)
        def step(this: Any, *args: Any, **kwargs: Any) -> Any:
            if this is scheduler and name not in self._calls:
                sample = named(of_step, (this, *args), kwargs)["sample"]
                drawn = np.random.default_rng(0).standard_normal(tuple(sample.shape))
                velocity = torch.from_numpy(drawn).to(sample.dtype)
                self._keep(name, {"schedule": schedule, "sample": sample, "model_output": velocity})
                self._shapes["sample"] = list(sample.shape)
            return kind.step(this, *args, **kwargs)

        own = {"set_timesteps": set_timesteps, "step": step, "__module__": kind.__module__}
        scheduler.__class__ = type(kind.__name__, (kind,), own)
        try:
            yield
        finally:
            scheduler.__class__ = kind


def is_scheduler(component: Any) -> bool:
    """Whether a component makes a schedule and steps along it."""
    return hasattr(component, "set_timesteps") and hasattr(component, "step")


def named(signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call by name; those that a decorator hides the names of are a list, :data:`POSITIONAL`."""
    names = positional_names(signature)
    found = dict(zip(names, args, strict=False)) | kwargs
    return found | ({POSITIONAL: list(args[len(names) :])} if len(args) > len(names) else {})


def positional_names(signature: inspect.Signature) -> list[str]:
    """The arguments that may be given by their place."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [name for name, parameter in signature.parameters.items() if parameter.kind in kinds]


def dtype_of(component: Any, calls: list[dict[str, Any]]) -> torch.dtype:
    """What a component computes in: its first weight that is a float, or else what it is given."""
    given = [] if isinstance(component, torch.nn.Module) else [call.get("sample") for call in calls]
    weights = component.parameters() if isinstance(component, torch.nn.Module) else given
    found = (each.dtype for each in weights if isinstance(each, torch.Tensor) and each.is_floating_point())
    return next(found, torch.float32)
