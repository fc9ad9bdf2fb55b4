# SPDX-License-Identifier: Apache-2.0
"""What this process may use of its machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from fvhydra.core.errors import UsageError

CPUS_VARIABLE = "FVHYDRA_CPUS"
"""Environment variable of a job that shares its machine with others: how many CPUs it may keep busy."""


_GPU_NODES = ("nvidia*", "nvhost*", "nvmap", "kfd", "dxg")
"""What the drivers of GPUs leave in ``/dev``: NVIDIA's on servers and boards, AMD's, Windows' for its Linux."""


def surely_without_gpu() -> bool:
    """Whether this machine has no GPU that torch could use; False where that takes torch to say."""
    devices = Path("/dev")
    return sys.platform == "linux" and not any(next(devices.glob(name), None) for name in _GPU_NODES)


def gpu_memory_mb() -> list[int] | None:
    """Memory in use on each GPU of this machine, whoever uses it; None where ``nvidia-smi`` does not say."""
    asked = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True).stdout
        return [int(line) for line in said.split()] or None
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def cpus() -> int:
    """CPUs that this process may keep busy: as :data:`CPUS_VARIABLE` says, else all that it may run on.

    Raises:
        UsageError: The variable is no number of CPUs.
    """
    if share := os.environ.get(CPUS_VARIABLE):
        if not share.isdecimal() or int(share) < 1:
            raise UsageError(f"{CPUS_VARIABLE}={share} must be a number of CPUs, 1 or more.")
        return int(share)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
