# SPDX-License-Identifier: Apache-2.0
"""Time of a pipeline's parts, taken with hooks around the parts: two marks for each call of one."""

from __future__ import annotations

import contextlib
import functools
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import torch

from fvhydra.engines.pipeline.hooks import around_forward, hidden

NETWORKS = {"text_encoder": "text_encoder_time_s", "transformer": "dit_time_s", "unet": "dit_time_s"}
"""Prefix of a component's name to the time that its forward passes count for."""
DECODERS = ("vae", "audio_vae")
"""Components whose ``decode`` counts as ``vae_decode_time_s``."""


class Clock(ABC):
    """Marks moments of a device's work, and tells the time between them when all of it is done."""

    @abstractmethod
    def mark(self) -> Any:
        """The moment at which the device comes to here."""

    @abstractmethod
    def wait(self) -> None:
        """Return when the device has done all that it was given."""

    @abstractmethod
    def between(self, start: Any, end: Any) -> float:
        """Seconds between two marks, after :meth:`wait`."""


class HostClock(Clock):
    """The CPU does what it is given at once."""

    def mark(self) -> float:
        return time.perf_counter()

    def wait(self) -> None: ...

    def between(self, start: float, end: float) -> float:
        return end - start


class CudaClock(Clock):
    """Events in the stream of work: taking one does not wait for the device, so measuring changes nothing."""

    def mark(self) -> torch.cuda.Event:
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event

    def wait(self) -> None:
        torch.cuda.synchronize()

    def between(self, start: torch.cuda.Event, end: torch.cuda.Event) -> float:
        return float(start.elapsed_time(end)) / 1000


@contextlib.contextmanager
def measured(pipe: Any, device: str) -> Iterator[dict[str, float]]:
    """Yield the seconds of one call of ``pipe`` on ``device`` (a torch device type), there when the block has ended.

    ``total_s`` is wall time from when the device is idle until it is idle again. A part that does not run has no entry.
    """
    clock: Clock = CudaClock() if device == "cuda" else HostClock()
    seconds: dict[str, float] = {}
    spans: list[tuple[str, Any, Any]] = []
    with contextlib.ExitStack() as stack:
        for name, component in pipe.components.items():
            if name in DECODERS:
                stack.enter_context(_timed_method(component, "decode", clock, "vae_decode_time_s", spans))
            key = next((key for prefix, key in NETWORKS.items() if name.startswith(prefix)), None)
            if key and isinstance(component, torch.nn.Module):
                stack.enter_context(_timed_forward(component, clock, key, spans))
        clock.wait()
        start = time.perf_counter()
        yield seconds
        clock.wait()
        total_s = time.perf_counter() - start
    for key, begun, ended in spans:
        seconds[key] = seconds.get(key, 0.0) + clock.between(begun, ended)
    seconds["total_s"] = total_s


Spans = list[tuple[str, Any, Any]]


@contextlib.contextmanager
def _timed_forward(module: torch.nn.Module, clock: Clock, key: str, spans: Spans) -> Iterator[None]:
    started: list[Any] = []

    def before(*_: Any) -> None:
        started.append(clock.mark())

    def after(*_: Any) -> None:
        spans.append((key, started.pop(), clock.mark()))

    with around_forward(module, before, after):
        yield


@contextlib.contextmanager
def _timed_method(owner: Any, name: str, clock: Clock, key: str, spans: Spans) -> Iterator[None]:
    """Time a method: VAE decoders are not called through ``forward``."""
    method: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(method)  # pipelines look at the signature of decode
    def timed(*args: Any, **kwargs: Any) -> Any:
        start = clock.mark()
        result = method(*args, **kwargs)
        spans.append((key, start, clock.mark()))
        return result

    with hidden(owner, name, timed):
        yield
