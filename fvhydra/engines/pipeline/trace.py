# SPDX-License-Identifier: Apache-2.0
"""What a pipeline computes on the way, written down by hooks around its parts, without touching its code.

Every component's inputs and outputs, the noise that is drawn, the schedule and each step of it, what the VAE encodes
and decodes; on request, outputs of the modules inside. The hooks change no value, and are gone when the block ends.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from fvhydra.core.errors import UsageError
from fvhydra.engines.base import TracedTensor, TraceRequest
from fvhydra.engines.pipeline import noise
from fvhydra.engines.pipeline.hooks import around_forward, hidden
from fvhydra.engines.pipeline.rows import Rows
from fvhydra.engines.pipeline.times import DECODERS

DENOISERS = ("transformer", "unet")
"""Prefixes of the components that are called in each step of the loop."""


class Tracer:
    """Collects the rows of one generation."""

    def __init__(self, request: TraceRequest) -> None:
        self._rows = Rows()
        self.matched = 0
        self._request = request
        self._modules = _compiled(request.modules)
        self._seen: Counter[tuple[str, str, int | None]] = Counter()
        self._step: int | None = None
        self._ended = 0

    @contextlib.contextmanager
    def attached(self, pipe: Any) -> Iterator[None]:
        """Write down what ``pipe`` computes until the block ends."""
        with contextlib.ExitStack() as stack:
            for name, component in pipe.components.items():
                if self._request.weights and isinstance(component, torch.nn.Module):
                    self._weights(name, component)
                if name in DECODERS:
                    for method in ("encode", "decode"):
                        stack.enter_context(self._method(component, method, f"{name}.{method}"))
                elif isinstance(component, torch.nn.Module):
                    stack.enter_context(self._module(component, name, inputs=True))
                elif hasattr(component, "set_timesteps") and hasattr(component, "step"):
                    stack.enter_context(self._scheduler(component, name))
                if isinstance(component, torch.nn.Module) and self._modules is not None:
                    self._inside(stack, name, component)
            stack.enter_context(self._noise())
            yield

    @property
    def rows(self) -> list[TracedTensor]:
        """All of them, in the order of execution."""
        return self._rows.finish()

    def add(self, module: str, tensor: str, value: Any, lasting: bool = False) -> None:
        """A row for each tensor in ``value``; ``lasting``: nobody writes to them before the rows are asked for."""
        if self._step is not None and self._request.steps and self._step not in self._request.steps:
            return
        for path, found in leaves(tensor, value):
            key = (module, path, self._step)
            self._rows.add(*key, self._seen[key], found, lasting)
            self._seen[key] += 1

    def output(self, values: Any) -> None:
        """What the generation gave in the end."""
        self._step = None
        self.add("output", "out", values, lasting=True)

    # ------------------------------------------------------------------ hooks
    def _weights(self, name: str, component: torch.nn.Module) -> None:
        for key, value in component.state_dict().items():
            self.add(name, f"weight {key}", value, lasting=True)
        self._rows.finish()  # before anything moves them to another device

    def _inside(self, stack: contextlib.ExitStack, name: str, component: torch.nn.Module) -> None:
        assert self._modules is not None
        for inner, module in component.named_modules():
            if inner and self._modules.search(f"{name}.{inner}"):
                stack.enter_context(self._module(module, f"{name}.{inner}", inputs=False))
                self.matched += 1

    @contextlib.contextmanager
    def _module(self, module: torch.nn.Module, name: str, inputs: bool) -> Iterator[None]:
        def before(_: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if name.startswith(DENOISERS):
                self._step = self._ended
            if inputs:
                self.add(name, "in", _named(module, args) | kwargs)

        def after(_: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
            self.add(name, "out", result)

        with around_forward(module, before, after):
            yield

    @contextlib.contextmanager
    def _method(self, owner: Any, name: str, label: str) -> Iterator[None]:
        """A method that is not called through ``forward``, as those of VAEs, by an attribute that hides it."""
        method: Callable[..., Any] | None = getattr(owner, name, None)
        if method is None:
            yield
            return

        @functools.wraps(method)  # pipelines look at signatures
        def traced(*args: Any, **kwargs: Any) -> Any:
            self._step = None  # neither is part of the loop
            self.add(label, "in", args[0] if args else next(iter(kwargs.values())))
            result = method(*args, **kwargs)
            self.add(label, "out", result)
            return result

        with hidden(owner, name, traced):
            yield

    @contextlib.contextmanager
    def _scheduler(self, scheduler: Any, name: str) -> Iterator[None]:
        """Change the class of the instance, not its methods: LTX-2 copies its scheduler for the sound, and a method
        that is an attribute would go on stepping the first.
        """
        kind: Any = type(scheduler)
        copies = _Numbers(scheduler)
        signature = _signature(kind.step)

        @functools.wraps(kind.set_timesteps)
        def set_timesteps(this: Any, *args: Any, **kwargs: Any) -> Any:
            result = kind.set_timesteps(this, *args, **kwargs)
            schedule = {key: getattr(this, key, None) for key in ("timesteps", "sigmas")}
            self.add(f"{copies.label(this, name)}.set_timesteps", "out", schedule)
            return result

        @functools.wraps(kind.step)
        def step(this: Any, *args: Any, **kwargs: Any) -> Any:
            label = f"{copies.label(this, name)}.step"
            taken = signature.bind(this, *args, **kwargs).arguments
            self.add(label, "in", {key: taken.get(key) for key in ("model_output", "timestep", "sample")})
            result = kind.step(this, *args, **kwargs)
            self.add(label, "out", result)
            self._ended += this is scheduler  # the next call of a denoiser begins the next step
            return result

        own = {"set_timesteps": set_timesteps, "step": step, "__module__": kind.__module__}
        scheduler.__class__ = type(kind.__name__, (kind,), own)
        try:
            yield
        finally:
            scheduler.__class__ = kind

    def _noise(self) -> contextlib.AbstractContextManager[None]:
        def traced(original: Callable[..., Any]) -> Callable[..., Any]:
            def randn_tensor(*args: Any, **kwargs: Any) -> Any:
                result = original(*args, **kwargs)
                self.add("noise", "out", result)
                return result

            return randn_tensor

        return noise.replaced(traced)


class _Numbers:
    """Tells copies of an object from it, by the order in which they are met."""

    def __init__(self, first: Any) -> None:
        self._known = [first]  # kept, since an address may be used again

    def label(self, this: Any, name: str) -> str:
        number = next((index for index, known in enumerate(self._known) if known is this), len(self._known))
        if number == len(self._known):
            self._known.append(this)
        return name if number == 0 else f"{name}_copy{number}"


@functools.lru_cache(maxsize=32)
def _signature(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function)


def _named(module: torch.nn.Module, args: tuple[Any, ...]) -> dict[str, Any]:
    """What a forward pass is given by position, by name."""
    if not args:
        return {}
    names = list(inspect.signature(module.forward).parameters)
    return {names[index] if index < len(names) else str(index): arg for index, arg in enumerate(args)}


def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern) if pattern else None
    except re.error as error:
        raise UsageError(f"{pattern!r} is no regular expression ({error}).") from error


def leaves(name: str, value: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors in what a module takes or gives, with the names that FastVideo's trace gives them."""
    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, np.ndarray):
        yield name, torch.from_numpy(np.ascontiguousarray(value))
    elif hasattr(value, "items"):
        for key, item in value.items():
            yield from leaves(f"{name}.{key}", item)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from leaves(f"{name}[{index}]", item)
    elif isinstance(getattr(value, "parameters", None), torch.Tensor):  # the distribution that a VAE gives
        yield f"{name}.parameters", value.parameters
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield name, torch.tensor(value, dtype=torch.float64)
