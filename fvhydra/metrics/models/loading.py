# SPDX-License-Identifier: Apache-2.0
"""Loading networks: float32, evaluation mode, and never a file that runs code of its own unless its hash is known."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import torch
import transformers.utils.logging as transformers_logging

from fvhydra.core.errors import MediaError
from fvhydra.core.files import regular_file
from fvhydra.media.tensors import WEIGHTS_BYTES, has_values, read_tensors
from fvhydra.metrics.base import Skipped
from fvhydra.metrics.spec import Asset

_LIBRARY = Lock()

N = TypeVar("N", bound=torch.nn.Module)


def state_dict(path: Path, wrapper: str = "") -> dict[str, torch.Tensor]:
    """The tensors of a ``.safetensors`` file, or of a PyTorch file read without running what is pickled in it.

    Args:
        path: The file.
        wrapper: The entry of the file that may hold them, beside what training needed; they may be bare as well.

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
    if isinstance(loaded, dict) and isinstance(loaded.get(wrapper), dict):
        loaded = loaded[wrapper]
    if not isinstance(loaded, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) and has_values(value)
        for name, value in loaded.items()
    ):
        raise MediaError(f"{path} is no file of weights: it must hold tensors by their names.")
    return loaded


def load_strictly(make: Callable[[], N], state: Mapping[str, torch.Tensor], path: Path) -> N:
    """A network with the weights of a file in float32, which must have its names and shapes, and no others.

    Args:
        make: Makes the network; it may look at ``state`` for its sizes.
        state: Tensors by name.
        path: Where they are from, for the message.

    Raises:
        MediaError: They are not the weights of this network; says which differ.
    """
    try:
        with torch.device("meta"):  # no values but the file's are needed
            network = make()
    except (KeyError, IndexError, RuntimeError, ValueError, ZeroDivisionError) as error:
        raise MediaError(f"{path} has no weights of the expected network: {error} is lacking or odd.") from error
    expected = {name: value.shape for name, value in network.state_dict().items()}
    found = {name: value.shape for name, value in state.items()}
    differing = sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))
    if differing:
        name = differing[0]
        raise MediaError(
            f"{path} has no weights of a {type(network).__name__}: {len(differing)} of its tensors differ, such as "
            f"{name}, which is {_shape(found.get(name))} and must be {_shape(expected.get(name))}."
        )
    # integers, as of counters, stay as they are
    values = {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
    network.load_state_dict(values, assign=True)
    return network.eval()


def _shape(shape: torch.Size | None) -> str:
    return "absent" if shape is None else str(list(shape))


def pretrained(kind: Any, folder: Path, device: str, dtype: torch.dtype = torch.float32, **options: Any) -> Any:
    """A transformers model of class ``kind`` from a folder; nothing is asked of the Hub."""
    with quiet():
        model = kind.from_pretrained(folder, dtype=dtype, local_files_only=True, weights_only=True, **options)
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
