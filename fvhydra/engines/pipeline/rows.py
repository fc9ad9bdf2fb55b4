# SPDX-License-Identifier: Apache-2.0
"""Tensors to rows of a trace. What a hook does delays the generation, so it only copies; the rest is done later.

Copies stay on the device until they are many: a hook that asked a GPU for a number would have to wait for it.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from fvhydra.engines.base import SAMPLE, TracedTensor

KEPT_BYTES = 2**28
"""Of copies, before rows are made of them."""
_SMALL = 2**15
"""Values of a tensor whose statistics are computed together with others': for these, the calls are what takes time."""


class _Copy(NamedTuple):
    module: str
    tensor: str
    step: int | None
    call: int
    values: torch.Tensor


class Rows:
    """Collects tensors, and makes rows of them in the order in which they came."""

    def __init__(self) -> None:
        self._made: list[TracedTensor] = []
        self._copies: list[_Copy] = []
        self._bytes = 0

    def add(self, module: str, tensor: str, step: int | None, call: int, values: torch.Tensor, lasting: bool) -> None:
        """Take a tensor.

        Args:
            values: The tensor; copied, since what is computed next may be written over it, unless it is ``lasting``
                until :meth:`finish` is called.
        """
        values = values.detach()
        kept = values.contiguous() if lasting else values.clone(memory_format=torch.contiguous_format)
        self._copies.append(_Copy(module, tensor, step, call, kept))
        self._bytes += kept.nbytes
        if self._bytes > KEPT_BYTES:
            self.finish()

    def finish(self) -> list[TracedTensor]:
        """The rows of all that came."""
        flat = [_Flat(each.values) for each in self._copies]
        statistics = _statistics([each.floats for each in flat])
        for copy, plain, (abs_mean, total, most) in zip(self._copies, flat, statistics, strict=True):
            self._made.append(
                TracedTensor(
                    module=copy.module,
                    tensor=copy.tensor,
                    step=copy.step,
                    call=copy.call,
                    shape=list(copy.values.shape),
                    dtype=str(copy.values.dtype).removeprefix("torch."),
                    abs_mean=abs_mean,
                    sum=total,
                    max=most,
                    sha256=hashlib.sha256(plain.bytes).hexdigest(),
                    sample=_sample(plain.floats),
                )
            )
        self._copies, self._bytes = [], 0
        return self._made


class _Flat:
    """A tensor as its bytes, and as float32; of complex numbers the parts one after the other."""

    def __init__(self, values: torch.Tensor) -> None:
        flat = values.reshape(-1).cpu()
        self.floats: NDArray[np.float32]
        self.bytes: memoryview
        if flat.dtype == torch.float32:
            self.floats = flat.numpy()
            self.bytes = self.floats.data
        else:
            self.bytes = flat.view(torch.uint8).numpy().data  # numpy has no bfloat16
            self.floats = (torch.view_as_real(flat).reshape(-1) if flat.is_complex() else flat).float().numpy()


Statistics = tuple[float | None, float | None, float | None]


def _statistics(arrays: Sequence[NDArray[np.float32]]) -> list[Statistics]:
    """Mean of the absolute values, sum, and largest absolute value of each; sums are float64. None for no values."""
    small = [index for index, array in enumerate(arrays) if 0 < array.size <= _SMALL]
    found: list[Statistics] = [(None, None, None)] * len(arrays)
    with np.errstate(invalid="ignore", over="ignore"):  # infinities are what somebody looks for
        groups = [small] if small else []
        for group in [*groups, *([index] for index, array in enumerate(arrays) if array.size > _SMALL)]:
            sizes = np.array([arrays[index].size for index in group])
            joined = np.concatenate([arrays[index] for index in group]) if len(group) > 1 else arrays[group[0]]
            means, sums, most = (column.tolist() for column in _reduced(joined, np.cumsum(sizes) - sizes, sizes))
            for place, index in enumerate(group):
                found[index] = (means[place], sums[place], most[place])
    return found


def _reduced(values: NDArray[np.float32], starts: NDArray[Any], sizes: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    sizes_of = np.abs(values)
    return (
        np.add.reduceat(sizes_of, starts, dtype=np.float64) / sizes,
        np.add.reduceat(values, starts, dtype=np.float64),
        np.maximum.reduceat(sizes_of, starts),
    )


def _sample(values: NDArray[np.float32]) -> NDArray[np.float32]:
    if values.size <= SAMPLE:
        return values
    return values[_places(values.size)]


@functools.lru_cache(maxsize=64)
def _places(size: int) -> NDArray[np.intp]:
    return np.linspace(0, size - 1, SAMPLE).astype(np.intp)
