# SPDX-License-Identifier: Apache-2.0
"""The device that a case needs, verified before anything is loaded."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from fvhydra.core.errors import UsageError

if TYPE_CHECKING:
    from fvhydra.config.gpu import GpuConfig


def verify(gpu: GpuConfig) -> str:
    """Check that this machine has what ``gpu=`` asks for.

    Returns:
        The device's own name, for the provenance. For the CPU with its instruction set, which rounding depends on.

    Raises:
        UsageError: No CUDA, too few devices, or devices of another kind; the message names what was found.
    """
    if gpu.count == 0:
        return f"cpu ({torch.backends.cpu.get_cpu_capability()})"
    if not torch.cuda.is_available():
        raise UsageError(
            f"gpu={gpu.name} needs {gpu.count} CUDA device(s), but torch {torch.__version__} finds none here.",
            "Run on a machine with the GPU, or with gpu=cpu tier=smoke.",
        )
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    if len(names) < gpu.count:
        raise UsageError(f"gpu={gpu.name} needs {gpu.count} device(s), but {len(names)} found: {', '.join(names)}.")
    for name in names[: gpu.count]:
        if not re.search(gpu.pattern, name):
            raise UsageError(
                f"gpu={gpu.name} needs a device whose name matches '{gpu.pattern}', but found: {', '.join(names)}.",
                "References belong to one GPU type: choose the gpu= of this machine.",
            )
    return names[0]


@contextlib.contextmanager
def peak_memory(device: str) -> Iterator[dict[str, float]]:
    """Yield the peak of what torch allocates during the block on each device in use, MB (2**20 bytes), by its name.

    Filled when the block has ended; empty for the CPU, whose memory is the processes'.

    Args:
        device: A torch device type.
    """
    peaks: dict[str, float] = {}
    devices = range(torch.cuda.device_count()) if device == "cuda" else range(0)
    for index in devices:
        torch.cuda.reset_peak_memory_stats(index)
    yield peaks
    found = {f"cuda:{index}": torch.cuda.max_memory_allocated(index) / 2**20 for index in devices}
    peaks.update({name: peak for name, peak in found.items() if peak})
