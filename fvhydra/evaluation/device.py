# SPDX-License-Identifier: Apache-2.0
"""Where the networks of an evaluation run: decided and refused before torch is loaded, and held to full float32."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from fvhydra.config.metrics import choices
from fvhydra.config.root import Config
from fvhydra.core.environment import package_version
from fvhydra.core.errors import UsageError
from fvhydra.core.gpus import torch_uses_gpus, visible_gpus
from fvhydra.metrics import catalogue


def device_of(config: Config) -> str:
    """The device of the chosen metrics' networks, as torch names it; ``cpu`` where they have none.

    ``metrics.device=auto`` is a GPU where this machine has one; elsewhere, as on Slurm, where ``gpu=`` asks for one.
    """
    if not _has_networks(config):
        return "cpu"
    if config.metrics.device != "auto":
        return config.metrics.device
    if not config.launcher.same_machine:
        return "cuda" if config.gpu.count else "cpu"
    return "cuda" if visible_gpus() and torch_uses_gpus() else "cpu"


def check_device(config: Config) -> None:
    """Refuse a device that is not where the evaluation runs, as far as its driver and torch's own record tell.

    Raises:
        UsageError: Names what is there.
    """
    device = config.metrics.device
    kind, _, index = device.partition(":")
    if kind != "cuda":
        return
    if index and config.launcher.sweeps:
        raise UsageError(
            f"metrics.device={device}: launcher={config.launcher.name} gives each job GPUs of its own, counted from 0.",
            "Use metrics.device=cuda; launcher=pool takes launcher.devices=[...].",
        )
    if not config.launcher.same_machine:
        return
    if not torch_uses_gpus():
        raise UsageError(
            f"metrics.device={device} needs a torch that is built for GPUs, and torch {package_version('torch')} is "
            "for the CPU alone.",
            "Leave metrics.device away, or install the torch of PyTorch's index for this machine's CUDA.",
        )
    found = visible_gpus()
    if found is not None and int(index or 0) >= len(found):
        here = ", ".join(f"cuda:{number} ({gpu.name})" for number, gpu in enumerate(found)) or "no GPU"
        raise UsageError(
            f"metrics.device={device}: this machine has {here}.", "Leave it away, or name one that is there."
        )


@contextlib.contextmanager
def float32_as(device: str, tf32: bool) -> Iterator[None]:
    """Let float32 arithmetic on a GPU be rounded to TF32 inside, or not: scores are the CPU's to 4e-9 without."""
    if device == "cpu":
        yield
        return
    import torch

    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def _has_networks(config: Config) -> bool:
    with contextlib.suppress(UsageError, ValueError):  # what is wrong with the choice is said by the checks of the job
        for choice in choices(config.metrics):
            spec = catalogue.metric_class(choice.id, choice.target).spec
            if spec.loads(spec.params(**choice.params)):
                return True
    return False
