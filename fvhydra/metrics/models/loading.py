# SPDX-License-Identifier: Apache-2.0
"""Loading networks: float32, evaluation mode, and never a file that runs code of its own unless its hash is known."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import torch
import transformers.utils.logging as transformers_logging

from fvhydra.core.errors import MediaError
from fvhydra.core.files import regular_file
from fvhydra.media.tensors import WEIGHTS_BYTES, has_values, read_tensors
from fvhydra.metrics.base import Skipped
from fvhydra.metrics.spec import Asset

_LIBRARY = Lock()


def state_dict(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a ``.safetensors`` file, or of a PyTorch file read without running what is pickled in it.

    Raises:
        MediaError: It is none, is damaged, or holds anything else.
    """
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        regular_file(path, "weights", most_bytes=WEIGHTS_BYTES, error=MediaError)
        try:
            return load_file(path)
        except (SafetensorError, OSError, ValueError) as error:
            raise MediaError(f"{path} is no safetensors file ({error}).") from error
    loaded = read_tensors(path, "file of weights", most_bytes=WEIGHTS_BYTES, legacy=True)
    if not isinstance(loaded, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) and has_values(value)
        for name, value in loaded.items()
    ):
        raise MediaError(f"{path} is no file of weights: it must hold tensors by their names.")
    return loaded


def pretrained(kind: Any, folder: Path, device: str, **options: Any) -> Any:
    """A transformers model of class ``kind`` from a folder; nothing is asked of the Hub."""
    with quiet():
        model = kind.from_pretrained(folder, dtype=torch.float32, local_files_only=True, weights_only=True, **options)
    return model.to(device).eval()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Let transformers show no bars and only errors. Its settings are global, so one thread loads at a time.

    Warnings that TorchScript is deprecated are silenced too: the published I3D is in that format.
    """
    with _LIBRARY:
        level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
        transformers_logging.set_verbosity_error()
        transformers_logging.disable_progress_bar()
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is deprecated", DeprecationWarning)
                yield
        finally:
            transformers_logging.set_verbosity(level)
            if bars:
                transformers_logging.enable_progress_bar()


def torchscript(path: Path, asset: Asset, device: str) -> Any:
    """A TorchScript module, whose code runs when it is called: only for an asset whose hash is known, and was compared.

    Raises:
        Skipped: ``no_weights``: nobody has said which bytes it must be.
    """
    if asset.sha256 is None:
        raise Skipped("no_weights", f"{asset.repo} is TorchScript, which runs code, and its sha256 is not known")
    with quiet():
        return torch.jit.load(path, map_location=device).eval()  # type: ignore[no-untyped-call]
