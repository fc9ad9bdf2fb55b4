# SPDX-License-Identifier: Apache-2.0
"""The GPUs of this machine, asked of their driver in milliseconds: torch takes seconds to load before it can say."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_GPU_LINE = re.compile(r"GPU (\d+): (.+?) \(UUID: (GPU-[^)]+)\)")
_SLICE_LINE = re.compile(r"\s+MIG (\S+)\s.*\(UUID: (MIG-[^)]+)\)")
_NODES = ("nvidia*", "nvhost*", "nvmap", "kfd", "dxg")
"""What the drivers of GPUs leave in ``/dev``: NVIDIA's on servers and boards, AMD's, Windows' for its Linux."""
_HIDDEN = ("", "-1", "NoDevFiles")


@dataclass(frozen=True)
class GpuDevice:
    """A GPU, or a slice of one that is split (MIG).

    Attributes:
        id: Its word for ``CUDA_VISIBLE_DEVICES``: the index of a GPU, the UUID of a slice.
        name: Its own name, as ``NVIDIA H100 80GB HBM3``.
        uuid: The same in any order of devices.
    """

    id: str
    name: str
    uuid: str

    def __str__(self) -> str:
        return f"{self.id} ({self.name})"


def installed_gpus() -> list[GpuDevice] | None:
    """All GPUs of the machine, in the order of the bus; None where the driver cannot be asked."""
    found = _listed(os.environ.get("PATH", ""))
    return None if found is None else list(found)


def visible_gpus() -> list[GpuDevice] | None:
    """The GPUs that a program started here may use, by ``CUDA_VISIBLE_DEVICES``; None where it takes torch to say."""
    given, found = named_devices(), installed_gpus()
    if given == []:
        return []
    if found is None:
        return [] if surely_without_gpu() else None
    return found if given is None else select(found, given)


def named_devices() -> list[str] | None:
    """The words of ``CUDA_VISIBLE_DEVICES``; None where it is not set."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    return None if given is None else [word.strip() for word in given.split(",") if word.strip() not in _HIDDEN]


def select(found: Iterable[GpuDevice], words: Iterable[str]) -> list[GpuDevice]:
    """The devices that words name, by index or the beginning of a UUID; as CUDA does, up to the first that is none.

    Example:
        >>> [device.name for device in select([GpuDevice("0", "H100", "GPU-8a1")], ["GPU-8", "7", "0"])]
        ['H100']
    """
    known = list(found)
    chosen: list[GpuDevice] = []
    for word in words:
        by_uuid = word.startswith(("GPU-", "MIG-"))
        device = next((item for item in known if item.id == word or (by_uuid and item.uuid.startswith(word))), None)
        if device is None:
            break
        chosen.append(device)
    return chosen


def surely_without_gpu() -> bool:
    """Whether no driver of a GPU has left a trace on this machine; False where that takes torch to say."""
    devices = Path("/dev")
    return sys.platform == "linux" and not any(next(devices.glob(name), None) for name in _NODES)


def gpu_memory_mb() -> list[int] | None:
    """Memory in use on each GPU of this machine, whoever uses it; None where ``nvidia-smi`` does not say."""
    asked = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True).stdout
        return [int(line) for line in said.split()] or None
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def torch_uses_gpus() -> bool:
    """Whether the torch that is installed is built for some kind of GPU, by its own record; nothing is imported."""
    spec = importlib.util.find_spec("torch")
    try:
        record = Path(str(spec and spec.origin)).with_name("version.py").read_text(encoding="utf-8")
    except OSError:
        return True  # torch itself will say
    kinds = re.findall(r"^(?:cuda|hip|xpu)\b[^=\n]*= *(.+)$", record, re.MULTILINE)
    return not kinds or any(kind.strip() != "None" for kind in kinds)


@functools.cache  # asked for each job of a sweep
def _listed(path: str) -> tuple[GpuDevice, ...] | None:
    """What ``nvidia-smi`` lists; of a GPU that is split, only its slices can be used."""
    try:
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    found: list[GpuDevice] = []
    slices: list[GpuDevice] = []
    for line in done.stdout.splitlines():
        if gpu := _GPU_LINE.match(line):
            found.append(GpuDevice(*gpu.groups()))
        elif (part := _SLICE_LINE.match(line)) and found:
            slices.append(GpuDevice(part[2], f"{found[-1].name} MIG {part[1]}", part[2]))
    return tuple(slices or found)
