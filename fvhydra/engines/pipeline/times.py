# SPDX-License-Identifier: Apache-2.0
"""Wall time of a pipeline's parts, taken with hooks around the parts: two clock readings for each call of one."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

Clock = Callable[[], float]

NETWORKS = {"text_encoder": "text_encoder_time_s", "transformer": "dit_time_s", "unet": "dit_time_s"}
"""Prefix of a component's name to the time that its forward passes count for."""
DECODERS = ("vae", "audio_vae")
"""Components whose ``decode`` counts as ``vae_decode_time_s``."""


@contextlib.contextmanager
def measured(pipe: Any) -> Iterator[dict[str, float]]:
    """Yield the seconds of one call of ``pipe``, filled while it runs; ``total_s`` when the block ends.

    A part that does not run has no entry. The GPU is waited for before each reading of the clock.
    """
    seconds: dict[str, float] = {}
    clock = _clock_of_the_gpu if torch.cuda.is_available() else time.perf_counter  # decided once: asking takes longer
    with contextlib.ExitStack() as stack:
        for name, component in pipe.components.items():
            if name in DECODERS:
                stack.enter_context(_timed_method(component, "decode", clock, _counter(seconds, "vae_decode_time_s")))
            key = next((key for prefix, key in NETWORKS.items() if name.startswith(prefix)), None)
            if key and isinstance(component, torch.nn.Module):
                stack.enter_context(_timed_forward(component, clock, _counter(seconds, key)))
        start = clock()
        try:
            yield seconds
        finally:
            seconds["total_s"] = clock() - start


def _clock_of_the_gpu() -> float:
    torch.cuda.synchronize()
    return time.perf_counter()


def _counter(seconds: dict[str, float], key: str) -> Callable[[float], None]:
    def count(elapsed: float) -> None:
        seconds[key] = seconds.get(key, 0.0) + elapsed

    return count


@contextlib.contextmanager
def _timed_forward(module: torch.nn.Module, clock: Clock, count: Callable[[float], None]) -> Iterator[None]:
    started: list[float] = []
    handles = (
        module.register_forward_pre_hook(lambda *_: started.append(clock())),
        module.register_forward_hook(lambda *_: count(clock() - started.pop())),
    )
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextlib.contextmanager
def _timed_method(owner: Any, name: str, clock: Clock, count: Callable[[float], None]) -> Iterator[None]:
    """Time a method by an attribute of the instance that hides it (VAE decoders are not called through ``forward``)."""
    method = getattr(owner, name)

    @functools.wraps(method)  # pipelines look at the signature of decode
    def timed(*args: Any, **kwargs: Any) -> Any:
        start = clock()
        try:
            return method(*args, **kwargs)
        finally:
            count(clock() - start)

    object.__setattr__(owner, name, timed)
    try:
        yield
    finally:
        object.__delattr__(owner, name)
