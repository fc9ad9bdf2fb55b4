# SPDX-License-Identifier: Apache-2.0
"""Seeded weights that depend on nothing but the seed, the component and the parameter's name and shape.

Each parameter has a Philox stream of its own, so neither the library's initialisation code nor the order in which
modules are constructed can change a single byte.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator

import numpy as np
import torch

LOG_SCALE = ("alpha", "beta")
"""Parameters of Snake activations, which are exponentiated."""
MAGNITUDE = ("weight_g", "original0")
"""Magnitude of a weight-normalised layer, under torch's old and new name."""


def stream(seed: int, component: str, name: str) -> np.random.Generator:
    """The random numbers that belong to one parameter."""
    digest = hashlib.sha256(f"{seed}|{component}|{name}".encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))


@torch.no_grad()
def initialise(
    module: torch.nn.Module, component: str, seed: int, boost: dict[str, float] | None = None
) -> torch.nn.Module:
    """Give every parameter a seeded value at which its layer is active; no branch stays at zero.

    Args:
        module: A freshly constructed model; changed in place.
        component: Its name in the pipeline.
        seed: Another seed gives unrelated weights.
        boost: Factors for parameters whose name contains the key: they keep weak paths (text, output scale) measurable.

    Returns:
        ``module``, in evaluation mode.
    """
    for owner, full_name, parameter in owned_parameters(module):
        noise = _normal(parameter, seed, component, full_name)
        parameter.copy_(scaled(noise, owner, full_name.rpartition(".")[2], parameter))
        for pattern, factor in (boost or {}).items():
            if pattern in full_name:
                parameter.mul_(factor)
    for name, buffer in module.named_buffers():
        # zeros and ones by default, which would hide a normalisation that is forgotten or done twice
        if name in ("latents_mean", "latents_std"):
            noise = 0.2 * _normal(buffer, seed, component, name)
            buffer.copy_(noise if name == "latents_mean" else 1 + noise.abs())
    return module.eval()


@torch.no_grad()
def perturb(module: torch.nn.Module, component: str, seed: int, scale: float) -> None:
    """Multiply every weight with ``1 + scale * z``, z standard normal and seeded: a small bug in every kernel."""
    for name, parameter in module.named_parameters():
        parameter.mul_(1 + scale * _normal(parameter, seed, f"perturb:{component}", name).to(parameter))


def owned_parameters(module: torch.nn.Module) -> Iterator[tuple[torch.nn.Module, str, torch.nn.Parameter]]:
    """Every parameter once, with the module that has it and its full name."""
    seen: set[int] = set()
    for prefix, owner in module.named_modules():
        for name, parameter in owner.named_parameters(recurse=False):
            if id(parameter) not in seen:  # tied weights keep the value of their first name
                seen.add(id(parameter))
                yield owner, f"{prefix}.{name}" if prefix else name, parameter


def _normal(like: torch.Tensor, seed: int, component: str, name: str) -> torch.Tensor:
    return torch.from_numpy(stream(seed, component, name).standard_normal(tuple(like.shape), dtype=np.float32))


def scaled(noise: torch.Tensor, owner: torch.nn.Module, name: str, parameter: torch.Tensor) -> torch.Tensor:
    """``noise`` at the scale of the parameter's role, so that activations neither die nor explode."""
    if isinstance(owner, torch.nn.Embedding):
        return noise
    if name in LOG_SCALE:
        return 0.1 * noise
    if parameter.ndim <= 1 or "norm" in type(owner).__name__.lower() or name in MAGNITUDE:
        return 0.05 * noise if "bias" in name else 1 + 0.1 * noise
    if any(part in name for part in ("table", "embed", "register")):
        return 0.3 * noise
    fan_in = math.prod(parameter.shape[1:])
    if isinstance(owner, torch.nn.ConvTranspose1d):
        fan_in = parameter.shape[0] * parameter.shape[2] // owner.stride[0]
    return noise / math.sqrt(max(fan_in, 1))
