# SPDX-License-Identifier: Apache-2.0
"""Hardware and software that a record was measured on, as documents, and the ids by which records are told apart."""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from fvhydra.core.environment import package_version
from fvhydra.core.files import sha256_bytes
from fvhydra.performance.recipe import canonical_json

KERNEL_PACKAGES: dict[str, tuple[str, ...]] = {
    "fastvideo_kernel": ("fastvideo-kernel",),
    "flash_attn": ("flash-attn",),
    "flash_attn_4": ("flash-attn-4",),
    "flash_attention_fp4": ("flash-attention-fp4",),
    "flashinfer": ("flashinfer-python", "flashinfer"),
    "nvidia_cutlass_dsl": ("nvidia-cutlass-dsl", "cutlass-dsl"),
    "sageattention": ("sageattention",),
    "sageattn3": ("sageattn3",),
    "triton": ("triton",),
    "xformers": ("xformers",),
}
"""Attention and kernel packages whose exact versions are part of a software profile, with their distributions."""

_ID_DIGITS = 16


def hardware_profile(
    gpus: Sequence[Mapping[str, Any]],
    *,
    num_gpus: int | None = None,
    device_type: str = "cuda",
    interconnect: str = "unknown",
) -> dict[str, Any]:
    """A machine's document.

    Args:
        gpus: A mapping each: ``name``, ``memory_bytes`` or ``memory_gb`` (GiB), ``compute_capability`` as ``8.9``.
        num_gpus: How many are used; None: as many as there are in ``gpus``.
        device_type: ``cuda`` or ``cpu``.
        interconnect: ``single_gpu``, ``full_nvlink``, ``none_or_partial``, ``unknown`` or ``none``.
    """
    return {
        "device_type": device_type,
        "gpu_count": len(gpus) if num_gpus is None else num_gpus,
        "gpus": [_gpu(gpu) for gpu in gpus],
        "interconnect": interconnect,
    }


def software_profile(
    *, python: str, pytorch: str | None, cuda: str | None, packages: Mapping[str, str | None]
) -> dict[str, Any]:
    """Libraries' document: Python, PyTorch and CUDA as major.minor, kernel packages exactly.

    Args:
        python: Version of the interpreter.
        pytorch: Version of torch; None where there is none.
        cuda: Version of CUDA that torch was built with.
        packages: Keys of :data:`KERNEL_PACKAGES` to versions; those without one are not installed.
    """
    return {
        "python": _major_minor(python),
        "pytorch": _major_minor(pytorch),
        "cuda": _major_minor(cuda),
        "packages": {name: version for name, version in sorted(packages.items()) if version},
    }


def hardware_profile_id(profile: Mapping[str, Any]) -> str:
    """``hw-`` and 16 hex digits of the document's hash."""
    return _profile_id("hw", profile)


def software_profile_id(profile: Mapping[str, Any]) -> str:
    """``sw-`` and 16 hex digits of the document's hash."""
    return _profile_id("sw", profile)


def environment_id(facts: Mapping[str, Any]) -> str:
    """``env-`` and 16 hex digits of the hash of an environment's facts, for audits; no record is compared by it."""
    return _profile_id("env", facts)


def hardware_profile_here(num_gpus: int) -> dict[str, Any]:
    """The document of this machine, of its first ``num_gpus`` CUDA devices; 0 for work on the CPU. Loads torch."""
    if num_gpus == 0:
        return hardware_profile([], device_type="cpu", interconnect="none")
    import torch

    found = min(num_gpus, torch.cuda.device_count())
    properties = [torch.cuda.get_device_properties(index) for index in range(found)]
    gpus: list[dict[str, Any]] = [
        {"name": gpu.name, "memory_bytes": gpu.total_memory, "compute_capability": f"{gpu.major}.{gpu.minor}"}
        for gpu in properties
    ]
    gpus += [{}] * (num_gpus - found)
    return hardware_profile(gpus, interconnect=interconnect(num_gpus))


def software_profile_here() -> dict[str, Any]:
    """The document of this interpreter's libraries. Reads packages' metadata, and loads torch where it is installed."""
    pytorch, cuda = package_version("torch"), None
    if pytorch is not None:
        import torch

        cuda = torch.version.cuda
    versions = {
        name: next((version for each in distributions if (version := package_version(each))), None)
        for name, distributions in KERNEL_PACKAGES.items()
    }
    return software_profile(python=platform.python_version(), pytorch=pytorch, cuda=cuda, packages=versions)


def interconnect(num_gpus: int) -> str:
    """How the first ``num_gpus`` GPUs are joined: ``full_nvlink`` when each pair of them is by NVLink."""
    if num_gpus <= 1:
        return "single_gpu"
    try:
        done = subprocess.run(("nvidia-smi", "topo", "-m"), capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return _interconnect_of(re.sub(r"\x1b\[[0-9;]*m", "", done.stdout), num_gpus)


def _interconnect_of(topology: str, num_gpus: int) -> str:
    rows = [line.split() for line in topology.splitlines() if re.match(r"GPU\d+\s+.*\bX\b", line)]
    if len(rows) < num_gpus:
        return "unknown"
    links = [rows[a][1 + b] for a in range(num_gpus) for b in range(num_gpus) if a != b]
    return "full_nvlink" if all(re.fullmatch(r"NV\d+", link) for link in links) else "none_or_partial"


def _gpu(given: Mapping[str, Any]) -> dict[str, Any]:
    memory_gb = given.get("memory_gb")
    if memory_gb is None and given.get("memory_bytes") is not None:
        memory_gb = round(given["memory_bytes"] / 2**30)
    return {
        "name": given.get("name") or "unknown",
        "memory_gb": memory_gb,
        "compute_capability": given.get("compute_capability") or None,
    }


def _major_minor(version: str | None) -> str | None:
    found = re.search(r"\d+\.\d+", version or "")
    return found.group() if found else version or None


def _profile_id(kind: str, document: Mapping[str, Any]) -> str:
    return f"{kind}-{sha256_bytes(canonical_json(document).encode())[:_ID_DIGITS]}"
