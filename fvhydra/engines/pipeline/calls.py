# SPDX-License-Identifier: Apache-2.0
"""Calls of a component, kept in a ``.safetensors`` file: nothing in it is run when it is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

_HEADER = "fvhydra_calls"


@dataclass
class Calls:
    """What a component was called with, each time.

    Attributes:
        dtype: That the component computed in: tensors of it follow the component where it computes in another.
        calls: Arguments by name, each call.
    """

    dtype: torch.dtype
    calls: list[dict[str, Any]]


def write_calls(path: Path, calls: Calls) -> None:
    """Write the calls.

    Raises:
        TypeError: An argument is nothing that can be kept; it is named.
    """
    from safetensors.torch import save_file

    tensors: dict[str, torch.Tensor] = {}
    plain = [_plain(call, tensors, str(number)) for number, call in enumerate(calls.calls)]
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, {_HEADER: json.dumps({"dtype": _name(calls.dtype), "calls": plain})})


def read_calls(path: Path, device: torch.device) -> Calls:
    """Read what :func:`write_calls` wrote, with tensors on ``device``."""
    from safetensors import safe_open

    with safe_open(path, "pt") as archive:
        header = json.loads(archive.metadata()[_HEADER])
        tensors = {key: archive.get_tensor(key) for key in archive.keys()}  # noqa: SIM118
    calls = [_value(call, tensors, device) for call in header["calls"]]
    return Calls(getattr(torch, header["dtype"]), calls)


def detached(value: Any) -> Any:
    """The same with copies of its tensors, on the CPU: what follows may compute in place."""
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True).contiguous()
    if isinstance(value, Mapping):
        return {key: detached(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [detached(item) for item in value]
    return value


def _plain(value: Any, tensors: dict[str, torch.Tensor], name: str) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (torch.Tensor, np.ndarray)):
        tensors[name] = detached(torch.as_tensor(value))
        return {"tensor" if isinstance(value, torch.Tensor) else "array": name}
    if isinstance(value, torch.dtype):
        return {"dtype": _name(value)}
    if isinstance(value, torch.device):
        return {"device": None}  # that of whoever reads it
    if isinstance(value, Mapping):
        return {"dict": {str(key): _plain(item, tensors, f"{name}.{key}") for key, item in value.items()}}
    if isinstance(value, (list, tuple)):
        return [_plain(item, tensors, f"{name}.{index}") for index, item in enumerate(value)]
    raise TypeError(f"its argument {name.partition('.')[2]} is a {type(value).__name__}, which cannot be kept")


def _value(plain: Any, tensors: Mapping[str, torch.Tensor], device: torch.device) -> Any:
    if isinstance(plain, list):
        return [_value(item, tensors, device) for item in plain]
    if not isinstance(plain, dict):
        return plain
    ((kind, content),) = plain.items()
    if kind == "tensor":
        return tensors[content].to(device)
    if kind == "array":
        return tensors[content].numpy()
    if kind == "dtype":
        return getattr(torch, content)
    if kind == "device":
        return device
    return {key: _value(item, tensors, device) for key, item in content.items()}


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
