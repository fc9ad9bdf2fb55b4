# SPDX-License-Identifier: Apache-2.0
"""The latent bundle: a ``.pt`` file with the tensor a model made before its VAE, format version 1.

Other tools read and write this format, so its keys are interface: ``latent`` (float16), ``shape``, ``dtype_original``,
``expected_slice`` (float32, 1-D), ``slice_spec`` (``kind``, ``version``), ``metadata``, ``format_version``.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fvhydra.config.problems import short
from fvhydra.core.artifacts import Numerics
from fvhydra.core.errors import MediaError, nearest
from fvhydra.core.files import plain, write_bytes
from fvhydra.media.tensors import has_values, read_tensors, refuse_unbounded

if TYPE_CHECKING:
    import torch

FORMAT_VERSION = 1
SLICE_VERSION = 1

PACKAGES = ("torch",)
"""Top-level modules that reading and writing a bundle needs."""

_KEYS = ("latent", "shape", "dtype_original", "expected_slice", "slice_spec", "metadata", "format_version")


@dataclass(frozen=True)
class LatentBundle:
    """A reference latent.

    Attributes:
        latent: float16, the full tensor: ``[B, C, T, H, W]`` for video, ``[B, C, T]`` for audio.
        dtype_original: dtype the engine computed in, for example ``torch.bfloat16``.
        expected_slice: float32 1-D, taken before the latent was rounded to float16.
        slice_kind: A key of :data:`SLICE_KINDS`.
        metadata: JSON types: prompt, model id, backend, steps, seed, ...
        format_version: Always 1.
    """

    latent: NDArray[np.float16]
    dtype_original: str
    expected_slice: NDArray[np.float32]
    slice_kind: str
    metadata: dict[str, Any]
    format_version: int = FORMAT_VERSION

    @property
    def shape(self) -> tuple[int, ...]:
        return self.latent.shape


@dataclass(frozen=True)
class SliceKind:
    """Which few values of a latent are kept in full precision."""

    rank: int
    minimum: tuple[int, ...]
    """The smallest size of each dimension."""
    take: Callable[[NDArray[Any]], NDArray[Any]]


SLICE_KINDS: dict[str, SliceKind] = {
    "corner_3x3_first_frame": SliceKind(5, (1, 1, 1, 3, 3), lambda latent: latent[0, :, 0, :3, :3]),
    "audio_first_8_timesteps": SliceKind(3, (1, 1, 8), lambda latent: latent[0, :, :8]),
}


def fits(kind: str, shape: tuple[int, ...]) -> str | None:
    """Why a slice kind cannot be taken from a latent of this shape, in one sentence; None when it can."""
    if kind not in SLICE_KINDS:
        return f"Slice kind '{kind}' is unknown (allowed: {', '.join(SLICE_KINDS)}).{nearest(kind, SLICE_KINDS)}"
    wanted = SLICE_KINDS[kind]
    if len(shape) != wanted.rank:
        return f"Slice kind '{kind}' needs a latent of rank {wanted.rank}, not {len(shape)} ({list(shape)})."
    if any(size < least for size, least in zip(shape, wanted.minimum, strict=True)):
        return f"Slice kind '{kind}' needs a latent of at least {list(wanted.minimum)}, not {list(shape)}."
    return None


def take_slice(latent: NDArray[Any], kind: str) -> NDArray[np.float32]:
    """The values that ``kind`` selects from ``latent``, float32 1-D (a copy).

    Raises:
        MediaError: The kind is unknown or does not fit.
    """
    if reason := fits(kind, latent.shape):
        raise MediaError(reason)
    return SLICE_KINDS[kind].take(latent).astype(np.float32).ravel()


def save_bundle(
    path: Path, latent: NDArray[np.float32], latent_dtype: str, slice_kind: str, metadata: Mapping[str, Any]
) -> None:
    """Write a bundle, atomically. Equal arguments give equal bytes.

    Args:
        path: The file to write; its name should end in ``.pt``.
        latent: float32, ``[B, C, T, H, W]`` or ``[B, C, T]``. Stored as float16; a value beyond its range becomes
            infinite, which :func:`numerics` counts.
        latent_dtype: dtype the engine computed in, for example ``torch.bfloat16``.
        slice_kind: A key of :data:`SLICE_KINDS`.
        metadata: JSON types.

    Raises:
        MediaError: The slice kind is unknown or does not fit.
        UsageError: The file cannot be written.
    """
    import torch

    expected_slice = take_slice(latent, slice_kind)
    content = {
        "latent": torch.from_numpy(to_float16(latent)),
        "shape": list(latent.shape),
        "dtype_original": latent_dtype,
        "expected_slice": torch.from_numpy(expected_slice),
        "slice_spec": {"kind": slice_kind, "version": SLICE_VERSION},
        "metadata": plain(dict(metadata)),
        "format_version": FORMAT_VERSION,
    }
    # through memory, because torch.save writes the file's own name, here a random temporary one, into the archive
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_bytes(path, buffer.getvalue())


def to_float16(latent: NDArray[Any]) -> NDArray[np.float16]:
    """Round as a bundle does; values beyond the range become infinite."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(latent, dtype=np.float16)


def load_bundle(path: Path) -> LatentBundle:
    """Read a bundle and check its structure. NaN and infinite values are let through for :func:`numerics` to count.

    A ``.pt`` file is a pickle, which could run any code: only plain data and tensors are accepted.

    Raises:
        MediaError: Missing, not a bundle, code instead of data, another format version, a missing key, a dtype, shape
            or slice that contradicts the format.
    """
    data = read_tensors(path, "latent bundle")
    _check_keys(path, data)
    latent = _array(path, data, "latent", np.dtype(np.float16))
    expected_slice = _array(path, data, "expected_slice", np.dtype(np.float32))
    kind = data["slice_spec"]["kind"]
    if list(data["shape"]) != list(latent.shape):
        raise MediaError(f"{path}: 'shape' says {short(data['shape'])} but the latent is {list(latent.shape)}.")
    if reason := fits(kind, latent.shape):
        raise MediaError(f"{path}: {reason}")
    length = take_slice(latent, kind).size
    if expected_slice.shape != (length,):
        raise MediaError(f"{path}: 'expected_slice' is {list(expected_slice.shape)}, '{kind}' gives [{length}].")
    return LatentBundle(latent, data["dtype_original"], expected_slice, kind, data["metadata"])


def numerics(bundle: LatentBundle) -> Numerics:
    """Summarise a bundle for review, in float64; safe to write as JSON whatever the latent holds."""
    finite = bundle.latent[np.isfinite(bundle.latent)].astype(np.float64)
    some = finite.size > 0
    return Numerics(
        format_version=bundle.format_version,
        shape=list(bundle.shape),
        dtype_original=bundle.dtype_original,
        slice_kind=bundle.slice_kind,
        mean=float(finite.mean()) if some else None,
        std=float(finite.std()) if some else None,
        min=float(finite.min()) if some else None,
        max=float(finite.max()) if some else None,
        nan_count=int(np.isnan(bundle.latent).sum()),
        inf_count=int(np.isinf(bundle.latent).sum()),
    )


def _check_keys(path: Path, data: Any) -> None:
    if not isinstance(data, dict):
        raise MediaError(f"{path} is not a latent bundle: it holds a {type(data).__name__}, not a dict.")
    version = data.get("format_version", FORMAT_VERSION)
    if type(version) is not int or version != FORMAT_VERSION:
        raise MediaError(f"{path} has format version {short(version)}; this fvhydra reads version {FORMAT_VERSION}.")
    if missing := [key for key in _KEYS if key not in data]:
        raise MediaError(f"{path} is not a latent bundle: it lacks {', '.join(missing)}.")
    for key in ("shape", "dtype_original", "slice_spec", "metadata"):
        refuse_unbounded(data[key], path, key)
    if not isinstance(data["dtype_original"], str):
        raise MediaError(f"{path}: 'dtype_original' is a {type(data['dtype_original']).__name__}, not a text.")
    if not isinstance(data["metadata"], dict):
        raise MediaError(f"{path}: 'metadata' is a {type(data['metadata']).__name__}, not a dict.")
    if not isinstance(data["shape"], (list, tuple)):
        raise MediaError(f"{path}: 'shape' is a {type(data['shape']).__name__}, not a list.")
    spec = data["slice_spec"]
    if not isinstance(spec, dict) or not isinstance(spec.get("kind"), str) or spec.get("version") != SLICE_VERSION:
        raise MediaError(f"{path}: 'slice_spec' must hold a kind and version {SLICE_VERSION}, not {short(spec)}.")


def _array(path: Path, data: dict[str, Any], key: str, dtype: np.dtype[Any]) -> NDArray[Any]:
    import torch

    tensor: torch.Tensor = data[key]
    if not isinstance(tensor, torch.Tensor) or tensor.dtype != getattr(torch, dtype.name):
        given = tensor.dtype if isinstance(tensor, torch.Tensor) else type(tensor).__name__
        raise MediaError(f"{path}: '{key}' is {given}, format version {FORMAT_VERSION} stores torch.{dtype.name}.")
    if not has_values(tensor):
        raise MediaError(
            f"{path}: '{key}' is a {tensor.layout} tensor on {tensor.device}, not a dense one with values of its own."
        )
    return tensor.detach().numpy()
