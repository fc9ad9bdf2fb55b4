# SPDX-License-Identifier: Apache-2.0
"""What a result was made with: provenance, shown first when a comparison fails, never part of the identity."""

from __future__ import annotations

import functools
import json
import os
import platform
import socket
import subprocess
import sys
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

from fvhydra import __version__

FACTS_VARIABLE = "FVHYDRA_FACTS"
"""Environment variable with what only a job's launcher knows of where it runs: a flat JSON object of strings, whose
keys begin with ``launcher.``."""

PLACE = ("host", "platform", "machine", "cpu", "gpu", "git_dirty")
"""Facts of where rather than of what ran."""

GPU_FACTS = ("gpu", "cuda", "cudnn", "driver", "tf32")
"""Facts of :func:`gpu_state`."""

ENGINE_PACKAGES = (
    *("torch", "diffusers", "transformers", "accelerate", "numpy", "fastvideo"),
    *("fastvideo-kernel", "flash-attn", "flash-attn-4", "flash-attention-fp4", "flashinfer-python", "flashinfer"),
    *("nvidia-cutlass-dsl", "cutlass-dsl", "sageattention", "sageattn3", "triton", "xformers"),
)
"""Packages that an engine's output and speed may depend on; the later ones are kernels."""

_PACKAGES = (*ENGINE_PACKAGES, "av", "opencv-python-headless")


def environment() -> dict[str, str]:
    """The facts of this process and machine, flat, as strings. Reads package metadata only: nothing is imported.

    Of GPUs it says nothing: whether one is used is known by who uses it, and adds :func:`gpu_state`.
    """
    told: dict[str, str] = json.loads(os.environ.get(FACTS_VARIABLE, "{}"))
    # what was told comes first, since it tells most, and last, since it is right
    return told | _installed() | git_state() | told


@functools.cache
def _installed() -> dict[str, str]:
    """The facts that stay the same while this process runs."""
    facts = {
        "fvhydra": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu": _cpu_model(),
        "host": socket.gethostname(),
    }
    return facts | {package: version for package in _PACKAGES if (version := package_version(package)) is not None}


def package_version(package: str) -> str | None:
    """Installed version of a distribution, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def git_state() -> dict[str, str]:
    """Commit of the repository around the current folder and whether its files differ from it; empty outside one.

    Looked at once: what a process has imported is what was there when it began.
    """
    return dict(_git_state_at_first(Path.cwd()))


def git_state_of(folder: Path) -> dict[str, str]:
    """The same of the repository around ``folder``, as it is now."""
    commit = _output("git", "-C", str(folder), "rev-parse", "HEAD")
    if not commit:
        return {}
    dirty = bool(_output("git", "-C", str(folder), "status", "--porcelain", "--untracked-files=no"))
    return {"git_commit": commit, "git_dirty": "yes" if dirty else "no"}


_git_state_at_first = functools.cache(git_state_of)


def now() -> str:
    """The current time: UTC, ISO 8601, whole seconds."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def gpu_state() -> dict[str, str]:
    """The facts of the GPUs that this process sees, and of what drives them; empty before torch is loaded.

    ``tf32`` is whether float32 arithmetic may be rounded to TF32 on the way: ``matmul``, ``cudnn``, both or ``off``.
    """
    torch = sys.modules.get("torch")  # only when somebody has loaded it: a fact is not worth two seconds
    if torch is None or not torch.cuda.is_available():
        return {}
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    driver = _output("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader").splitlines()
    cudnn = torch.backends.cudnn.version()
    rounded = {"matmul": torch.backends.cuda.matmul.allow_tf32, "cudnn": torch.backends.cudnn.allow_tf32}
    return {
        "gpu": ", ".join(names),
        "cuda": str(torch.version.cuda),
        "cudnn": "none" if cudnn is None else str(cudnn),
        "driver": driver[0] if driver else "unknown",
        "tf32": " and ".join(name for name, on in rounded.items() if on) or "off",
    }


def gpu_devices() -> list[dict[str, Any]]:
    """``name``, ``memory_bytes``, ``compute_capability`` of each GPU that torch sees; none before it is loaded."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return []
    found = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    return [
        {"name": gpu.name, "memory_bytes": gpu.total_memory, "compute_capability": f"{gpu.major}.{gpu.minor}"}
        for gpu in found
    ]


def _cpu_model() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
