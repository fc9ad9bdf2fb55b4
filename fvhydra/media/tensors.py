# SPDX-License-Identifier: Apache-2.0
"""Files of PyTorch tensors that anybody may have written: pickles, read without running what is in them.

``weights_only`` keeps code from running. What it lets through can still exhaust the memory or never end, so the pickle
is looked at first: how large it is, what it builds, and to how much the archive unpacks.
"""

from __future__ import annotations

import pickletools
import re
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fvhydra.core.errors import MediaError
from fvhydra.core.files import regular_file

if TYPE_CHECKING:
    import torch

PICKLE_BYTES = 2**22
"""Largest pickle: what a file says beside the values of its tensors."""
MOST_BYTES = 2**31
"""All tensors of a latent bundle."""
WEIGHTS_BYTES = 2**36
"""All tensors of a network."""
VALUES, DEPTH = 100_000, 64
"""Values beside tensors, and how deep they are nested."""

_BUILDS = re.compile(
    r"collections OrderedDict|torch \w+Storage|torch Size|torch [a-z]+\d+|torch\.storage \w+Storage|"
    r"torch\._utils _rebuild_(tensor(_v2)?|parameter|sparse_tensor|meta_tensor_no_storage)|"
    r"torch\.serialization _get_layout"
)
"""What tensors and dicts are built from; ``_rebuild_tensor`` is of old versions, sparse ones are refused by name."""


class Refused(MediaError):
    """A pickle that builds other objects than plain data and tensors, or would run code."""


def read_tensors(path: Path, what: str, *, most_bytes: int = MOST_BYTES, legacy: bool = False) -> Any:
    """Read a file of ``torch.save``: plain data and tensors on the CPU.

    Args:
        path: The file.
        what: What it is called in messages, as in "latent bundle".
        most_bytes: To how much it may unpack.
        legacy: Whether files that are no archives, as old versions wrote them, are read too.

    Raises:
        Refused: It holds other objects, or code.
        MediaError: It is missing, no regular file, no such file, damaged, or larger.
    """
    import torch

    regular_file(path, what, most_bytes=most_bytes, error=MediaError)
    if zipfile.is_zipfile(path):
        _look(path, what, most_bytes)
    elif not legacy:
        with open(path, "rb") as stream:
            begins = stream.read(1)
        if begins in (b"\x80", b"("):
            raise _refused(path, what)
        raise _damaged(path, what)
    try:
        with warnings.catch_warnings():
            # said about other programs' pickles just before they are refused
            warnings.filterwarnings("ignore", message="Detected pickle protocol", category=UserWarning)
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # broken bytes make the unpickler raise nearly anything
        raise (_refused if type(error).__name__ == "UnpicklingError" else _damaged)(path, what) from error


def has_values(tensor: torch.Tensor) -> bool:
    """Whether a tensor has the values that its shape claims, each in memory of its own."""
    import torch

    plain = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_neg()
    return plain and tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()


def refuse_unbounded(value: Any, path: Path, key: str) -> None:
    """Refuse data, read beside tensors, that goes on for ever or repeats itself without bound.

    Raises:
        MediaError: It has more than :data:`VALUES` values, each as often as it is referred to, or is nested deeper
            than :data:`DEPTH`.
    """
    count, level = 0, [value]
    for _ in range(DEPTH):
        count += len(level)
        parts = [part for item in level if isinstance(item, (dict, list, tuple, set)) for part in _parts(item)]
        if count + len(parts) > VALUES:
            raise MediaError(f"{path}: '{key}' has more than {VALUES:,} values.")
        level = parts
        if not level:
            return
    raise MediaError(f"{path}: '{key}' is nested deeper than {DEPTH} levels.")


def _parts(item: Any) -> list[Any]:
    found = [*item.keys(), *item.values()] if isinstance(item, dict) else list(item)
    return found[: VALUES + 1]


def _look(path: Path, what: str, most_bytes: int) -> None:
    """Refuse an archive by its sizes and by what its pickle names, before anything is built."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            unpacked = sum(entry.file_size for entry in entries)
            if unpacked > most_bytes:
                raise MediaError(f"The {what} {path} unpacks to {unpacked:,} bytes; at most {most_bytes:,} are read.")
            for entry in (entry for entry in entries if entry.filename.endswith("data.pkl")):
                if entry.file_size > PICKLE_BYTES:
                    size = f"{entry.file_size:,} bytes"
                    raise MediaError(f"The {what} {path} has a pickle of {size}; at most {PICKLE_BYTES:,} are read.")
                if not _is_plain(archive.read(entry)):
                    raise _refused(path, what)
    except MediaError:
        raise
    except Exception as error:  # of zipfile and pickletools, for nearly any reason
        raise _damaged(path, what) from error


def _is_plain(pickle: bytes) -> bool:
    """Whether a pickle names nothing but what tensors and dicts are built from, in the way that torch writes names."""
    for operation, argument, _ in pickletools.genops(pickle):
        if operation.name in ("STACK_GLOBAL", "INST", "OBJ", "EXT1", "EXT2", "EXT4"):
            return False
        if operation.name == "GLOBAL" and not _BUILDS.fullmatch(str(argument)):
            return False
    return True


def _refused(path: Path, what: str) -> Refused:
    return Refused(
        f"{path} was refused: it is not a plain {what} but a pickle with other objects or code in it.",
        "Do not load it by other means unless you made it.",
    )


def _damaged(path: Path, what: str) -> MediaError:
    return MediaError(
        f"{path} is not a {what}: it is another kind of file, or was cut short or damaged.", "Copy or fetch it again."
    )
