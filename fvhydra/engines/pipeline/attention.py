# SPDX-License-Identifier: Apache-2.0
"""The attention backend of a pipeline's denoisers: switched the library's way, then read back.

A backend that silently is another one than the folder in the reference path says makes references worthless, so what
the processors really carry is what counts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from diffusers.models.attention_dispatch import AttentionBackendName, attention_backend

from fvhydra.core.errors import UsageError
from fvhydra.engines.quiet import quiet_libraries

if TYPE_CHECKING:
    from fvhydra.config.backend import BackendConfig

FIXED = "native"
"""What a processor that knows no switch runs: torch's scaled dot-product attention."""


def denoisers(pipe: Any) -> dict[str, Any]:
    """The networks that are called once a step, by component name."""
    return {
        name: component
        for name, component in pipe.components.items()
        if name.startswith(("transformer", "unet")) and component is not None
    }


def select(pipe: Any, backend: BackendConfig) -> str:
    """Switch every denoiser to ``backend`` and verify it.

    Components outside the denoisers keep the library's default, so two engines in one process do not touch each other.

    Returns:
        The resolved backend, for example ``flash``; ``flash+native`` where some layers of the model have no switch and
        always run torch's own.

    Raises:
        UsageError: The backend does not exist in diffusers, is not installed, or no layer of the model honours it.
    """
    with _switched(backend):
        for network in denoisers(pipe).values():
            network.set_attention_backend(backend.diffusers)
    return _verified(pipe, backend)


def check(backend: BackendConfig) -> None:
    """Refuse a backend that diffusers cannot switch to, before any weights are loaded.

    Raises:
        UsageError: It does not exist in diffusers, or is not installed.
    """
    with _switched(backend):
        pass


@contextlib.contextmanager
def _switched(backend: BackendConfig) -> Iterator[None]:
    wanted = backend.diffusers
    if wanted is None:
        raise UsageError(f"backend={backend.name} does not exist in diffusers; here are {', '.join(available())}.")
    try:
        # the context restores the process-wide default that the model's own switch changes as well
        with quiet_libraries(), attention_backend(wanted):
            yield
    except (ValueError, RuntimeError, ImportError) as error:
        raise UsageError(
            f"backend={backend.name} ({wanted} in diffusers) is not usable here; there are {', '.join(available())}.",
            f"diffusers says: {error}",
        ) from error


def available() -> list[str]:
    """Backends of diffusers that work on this machine without downloading a kernel, by diffusers' names."""
    return [name.value for name in AttentionBackendName if not name.value.endswith("hub") and _usable(name)]


def _usable(name: AttentionBackendName) -> bool:
    if name.value.startswith("_"):  # variants of the others, for debugging
        return False
    try:
        with attention_backend(name):
            return True
    except (ValueError, RuntimeError, ImportError):
        return False


def _verified(pipe: Any, backend: BackendConfig) -> str:
    carried = {_carried(processor) for processor in _processors(pipe)}
    resolved = [str(backend.diffusers), *sorted(carried - {backend.diffusers})]
    if backend.diffusers not in carried or not carried <= {backend.diffusers, FIXED}:
        raise UsageError(
            f"backend={backend.name} was asked for, but the attention layers of {type(pipe).__name__} run "
            f"{', '.join(sorted(carried))}.",
            "Choose backend=torch_sdpa for this model.",
        )
    return "+".join(resolved)


def _processors(pipe: Any) -> Iterator[object]:
    for network in denoisers(pipe).values():
        for module in network.modules():
            processor = getattr(module, "processor", None)
            if processor is not None:
                yield processor


def _carried(processor: object) -> str:
    carried = getattr(processor, "_attention_backend", None)
    return FIXED if carried is None else AttentionBackendName(carried).value
