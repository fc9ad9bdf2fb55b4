# SPDX-License-Identifier: Apache-2.0
"""Networks held to what the projects' own code gave with deterministic weights (``networks/*.json``).

A weight is drawn from ``RandomState(crc32(its name))``, so that all tensors of a checkpoint have values that anyone can
make again, and a recorded file holds only the names, the shapes and summaries of what came out. In float64 a network
must agree to 1e-8, which tells a wrong epsilon, activation or padding; float32 alone does not.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

_FOLDER = Path(__file__).parent / "networks"

Shapes = dict[str, list[int]]
Rule = Sequence[Any]
"""``[pattern, dimensions or null, kind, *numbers]``; the first that fits a name decides."""

_RULES: Sequence[Rule] = (
    (r"num_batches_tracked$", None, "zeros_int"),
    (r"position_ids$", None, "arange_int"),
    (r"running_var$", None, "pos", 0.5, 1.0),
    (r"running_mean$", None, "affine", 0.0, 0.2),
    (r"bias$|bias_[a-z0-9]+$|_b$|\.b$", 1, "affine", 0.0, 0.1),
    (r"weight$", 1, "affine", 1.0, 0.1),
    (r"weight$", None, "fan", 1.0),
    (r"", None, "affine", 0.0, 0.3),
)


def load(name: str) -> Any:
    """The recorded file ``networks/<name>.json``."""
    return json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def shapes(described: Mapping[str, Any]) -> Shapes:
    """Names and shapes of a recorded ``state_dict``: ``blocks.{0..11}.norm.weight`` stands for twelve."""
    found: Shapes = {}
    for pattern, shape in described["keys"].items():
        parts = re.split(r"\{([^}]*)\}", pattern)
        for chosen in itertools.product(*map(_alternatives, parts[1::2])):
            found["".join(itertools.chain(*itertools.zip_longest(parts[::2], chosen, fillvalue="")))] = list(shape)
    return found


def _alternatives(listed: str) -> list[str]:
    """``0..2,7`` as 0, 1, 2, 7."""
    values: list[str] = []
    for item in listed.split(","):
        first, dots, last = item.partition("..")
        values += map(str, range(int(first), int(last) + 1)) if dots else [item]
    return values


def state(
    golden: Mapping[str, Any], described: Mapping[str, Any], keep: Callable[[str], bool] = lambda name: True
) -> dict[str, torch.Tensor]:
    """The weights of a recorded network, float32.

    Args:
        golden: The file, for its recipe.
        described: The ``state_dict`` of it that is meant.
        keep: Which names are wanted.
    """
    recipe = golden["recipe"]
    return {
        name: torch.from_numpy(_tensor(name, shape, recipe["rules"], recipe.get("alias", ())))
        for name, shape in shapes(described).items()
        if keep(name)
    }


def _tensor(name: str, shape: list[int], rules: Sequence[Rule], alias: Sequence[Sequence[str]]) -> NDArray[Any]:
    for pattern, other in alias:  # a tensor that a checkpoint has under two names
        name = re.sub(pattern, other, name)
    for pattern, dimensions, kind, *numbers in (*rules, *_RULES):
        if re.search(pattern, name) and dimensions in (None, len(shape)):
            return _drawn(name, shape, kind, numbers)
    raise KeyError(name)


def _drawn(name: str, shape: list[int], kind: str, numbers: Sequence[float]) -> NDArray[Any]:
    count = math.prod(shape)
    if kind == "zeros_int":
        return np.zeros(shape, np.int64)
    if kind == "arange_int":
        return np.arange(count, dtype=np.int64).reshape(shape)
    if kind == "const":
        return np.full(shape, numbers[0], np.float32)
    # in place, or the largest networks do not fit
    values = np.random.RandomState(zlib.crc32(name.encode())).random_sample(count)
    if kind != "pos":
        values *= 2.0
        values -= 1.0
        values *= np.sqrt(3.0)
    if kind in ("affine", "pos"):
        values *= numbers[1]
        values += numbers[0]
    else:
        fan = {"fan": shape[1:], "fan0": shape[:1], "fanT": shape[:1] + shape[2:]}[kind]
        values *= numbers[0]
        values /= np.sqrt(max(float(math.prod(fan)), 1.0))
    return values.reshape(shape).astype(np.float32)


def made(
    golden: Mapping[str, Any],
    network: nn.Module,
    described: Mapping[str, Any],
    dtype: torch.dtype = torch.float64,
    keep: Callable[[str], bool] = lambda name: True,
) -> nn.Module:
    """The network with its recorded weights, loaded strictly."""
    network.load_state_dict(state(golden, described, keep), strict=True, assign=True)
    return network.to(dtype).eval()


def given(spec: Mapping[str, Any], dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """The input that a recipe describes."""
    random, shape = np.random.RandomState(spec["seed"]), tuple(spec["shape"])
    low, high = spec.get("lo", 0.0), spec.get("hi", 1.0)
    kind = spec["kind"]
    if kind == "ints":
        return torch.from_numpy(random.randint(int(low), int(high), size=shape).astype(np.int64))
    values = {
        "uniform": lambda: low + (high - low) * random.random_sample(shape),
        "normal": lambda: low + high * random.standard_normal(shape),
        "smooth": lambda: _smooth(random, shape, spec.get("shift", (0.0, 0.0)), low, high),
        "tones": lambda: _tones(random, shape, spec.get("rate", 0), high),
    }[kind]()
    rounded = np.floor(values) if spec.get("round") else values
    return torch.from_numpy(np.asarray(rounded, np.float32)).to(dtype)


def _smooth(
    random: np.random.RandomState, shape: tuple[int, ...], shift: Sequence[float], low: float, high: float
) -> NDArray[np.float64]:
    """Six plane waves a channel that wander by ``shift`` a frame, with a tenth of noise."""
    height, width = shape[-2:]
    channels = shape[-3] if len(shape) > 2 else 1
    rows, columns = np.meshgrid(np.arange(float(height)), np.arange(float(width)), indexing="ij")
    waves = random.random_sample((channels, 6, 4))
    pictures = np.zeros((math.prod(shape[:-2]), height, width))
    for index, picture in enumerate(pictures):
        frame, channel = divmod(index, channels)
        for across, down, phase, amplitude in waves[channel]:
            along = (0.02 + 0.13 * across) * (columns - frame * shift[1])
            along += (0.13 * down - 0.065) * (rows - frame * shift[0])
            picture += (0.3 + amplitude) * np.sin(2 * np.pi * (along + phase))
    pictures = 0.5 + 0.5 * np.tanh(pictures / 2.0)
    mixed = 0.9 * pictures + 0.1 * random.random_sample(pictures.shape)
    return np.asarray((low + (high - low) * mixed).reshape(shape))


def _tones(random: np.random.RandomState, shape: tuple[int, ...], rate: int, peak: float) -> NDArray[np.float64]:
    """Five tones a recording that rise or fall, with a twentieth of noise."""
    count = shape[-1]
    time = np.arange(float(count)) / rate
    sounds = np.zeros((math.prod(shape[:-1]), count))
    for sound in sounds:
        for pitch, amplitude, phase, chirp in random.random_sample((5, 4)):
            turns = (80 + 3000 * pitch * pitch) * time + 200 * (chirp - 0.5) * time * time + phase
            swell = 0.6 + 0.4 * np.sin(2 * np.pi * (1 + 3 * chirp) * time)
            sound += (0.2 + amplitude) * np.sin(2 * np.pi * turns) * swell
        sound[:] = peak * (0.95 * sound / 5.0 + 0.05 * (2 * random.random_sample(count) - 1))
    return sounds.reshape(shape)


def assert_summary(found: torch.Tensor, recorded: Mapping[str, Any], tolerance: float, what: str = "") -> None:
    """Shape, moments and up to 64 values, spread evenly, must be as recorded within an absolute tolerance."""
    assert list(found.shape) == recorded["shape"], what
    values = found.detach().double().flatten().numpy()
    moments = [values.mean(), values.std(), np.abs(values).max()]
    assert moments == pytest.approx([recorded[name] for name in ("mean", "std", "absmax")], abs=tolerance), what
    picked = np.arange(values.size) if values.size <= 64 else np.arange(64) * (values.size - 1) // 63
    picked = picked[:: recorded.get("index_step", 1)]
    assert values[picked] == pytest.approx(np.asarray(recorded["values"]), abs=tolerance), what


def hooked(network: nn.Module, names: Iterator[str] | Sequence[str]) -> dict[str, torch.Tensor]:
    """What the named parts give when they are first called, filled in as the network runs."""
    found: dict[str, torch.Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            found.setdefault(name, output[0] if isinstance(output, tuple) else output)

        return hook

    for name in names:
        network.get_submodule(name).register_forward_hook(keep(name))
    return found


def assert_same_names(network: nn.Module, golden: Mapping[str, Any]) -> None:
    """A network, which may be on the device ``meta``, has the names and shapes of the published checkpoint."""
    assert {name: list(value.shape) for name, value in network.state_dict().items()} == shapes(golden["state_dict"])
