# SPDX-License-Identifier: Apache-2.0
"""Denoising steps of a running pipeline, reported as they end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from inspect import Parameter
from typing import Any

from fvhydra.core.progress import Progress


@contextlib.contextmanager
def reported(pipe: Any, parameters: Mapping[str, Parameter], progress: Progress) -> Iterator[dict[str, Any]]:
    """Yield the arguments with which a call of ``pipe`` reports its steps to ``progress``.

    Most pipelines have a callback. For the others the progress bar that they draw stands in for it, for the duration of
    the block. What ``progress`` raises ends the call at that step.
    """
    if "callback_on_step_end" in parameters:

        def on_step_end(pipeline: Any, index: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            progress.step(index + 1, pipeline.num_timesteps)
            return tensors

        yield {"callback_on_step_end": on_step_end, "callback_on_step_end_tensor_inputs": []}
        return
    pipe.progress_bar = lambda iterable=None, total=None: _Bar(total, progress) if iterable is None else iterable
    try:
        yield {}
    finally:
        del pipe.progress_bar


class _Bar:
    """What a pipeline uses of a tqdm bar."""

    def __init__(self, total: int, progress: Progress) -> None:
        self.total, self.done, self.progress = total, 0, progress

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None: ...

    def update(self, count: int = 1) -> None:
        self.done += count
        self.progress.step(self.done, self.total)
