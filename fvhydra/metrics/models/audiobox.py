# SPDX-License-Identifier: Apache-2.0
"""Audiobox Aesthetics: four marks of a sound, about 1 to 10.

Tjandra et al., "Meta Audiobox Aesthetics" (2025): the layers of a WavLM base+, weighted for each mark. The WavLM is
that of transformers, whose names are not those of the checkpoint: :func:`renamed` says which is which.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn
from transformers import WavLMConfig, WavLMModel

from fvhydra.core.errors import MediaError
from fvhydra.core.untrusted import read_json
from fvhydra.metrics.models.loading import load_strictly, state_dict

RATE_HZ = 16_000
AXES = ("CE", "CU", "PC", "PQ")
"""Content enjoyment, content usefulness, production complexity, production quality."""

_WINDOW = 10 * RATE_HZ
_BUILT = {"proj_num_layer": 1, "proj_ln": False, "normalize_embed": True, "output_dim": 1}
"""What the network is made for; a configuration that says otherwise is of another one."""

_NAMES = (
    (r"\.mask_emb$", ".masked_spec_embed"),
    (r"(\.conv_layers\.\d+)\.0\.", r"\1.conv."),
    (r"(\.conv_layers\.\d+)\.2\.", r"\1.layer_norm."),
    (r"^(wavlm_model)\.layer_norm\.", r"\1.feature_projection.layer_norm."),
    (r"\.post_extract_proj\.", ".feature_projection.projection."),
    (r"\.pos_conv\.0\.weight_g$", ".pos_conv_embed.conv.parametrizations.weight.original0"),
    (r"\.pos_conv\.0\.weight_v$", ".pos_conv_embed.conv.parametrizations.weight.original1"),
    (r"\.pos_conv\.0\.", ".pos_conv_embed.conv."),
    (r"\.self_attn_layer_norm\.", ".layer_norm."),
    (r"\.self_attn\.grep_a$", ".attention.gru_rel_pos_const"),
    (r"\.self_attn\.grep_linear\.", ".attention.gru_rel_pos_linear."),
    (r"\.self_attn\.relative_attention_bias\.", ".attention.rel_attn_embed."),
    (r"\.self_attn\.", ".attention."),
    (r"\.fc1\.", ".feed_forward.intermediate_dense."),
    (r"\.fc2\.", ".feed_forward.output_dense."),
)


class AudioboxAesthetics(nn.Module):
    """The network. Its axes have names, as in the checkpoint."""

    def __init__(self, config: WavLMConfig) -> None:
        super().__init__()
        self.wavlm_model = WavLMModel(config)
        layers, width = config.num_hidden_layers + 1, config.hidden_size
        self.proj_layer = nn.ModuleDict({axis: nn.Sequential(nn.Linear(width, 1)) for axis in AXES})
        self.layer_weights = nn.ParameterDict({axis: nn.Parameter(torch.ones(layers)) for axis in AXES})

    def forward(self, samples: torch.Tensor, valid: torch.Tensor) -> dict[str, torch.Tensor]:
        """Marks ``[n]`` by axis, before they are scaled to 1 to 10.

        Args:
            samples: ``[n, N]`` at 16 kHz.
            valid: bool ``[n, N]``, which samples are sound and no filling.
        """
        features = self.wavlm_model.feature_extractor(samples).transpose(1, 2)
        # a frame is filling where all of its share of samples is
        share = samples.shape[1] // features.shape[1]
        counted = valid[:, : share * features.shape[1]].unflatten(1, (features.shape[1], share)).any(-1)  # type: ignore[no-untyped-call]
        hidden, _ = self.wavlm_model.feature_projection(features)
        states = torch.stack(self._layers(hidden, counted))
        weights = counted[..., None].to(states) / counted.sum(1)[:, None, None]
        means = (states * weights).sum(2)
        return {axis: self._mark(axis, means) for axis in AXES}

    def _layers(self, hidden: torch.Tensor, counted: torch.Tensor) -> list[torch.Tensor]:
        """The input of the first layer and the output of each."""
        encoder = self.wavlm_model.encoder
        hidden = hidden * counted[..., None]
        states = [encoder.layer_norm(hidden + encoder.pos_conv_embed(hidden))]
        bias = None
        for index, layer in enumerate(encoder.layers):
            with warnings.catch_warnings():
                # transformers' masks are of two types, which torch would rather have as one
                warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask")
                output, bias = layer(states[-1], attention_mask=counted, position_bias=bias, index=index)
            states.append(output)
        return states

    def _mark(self, axis: str, means: torch.Tensor) -> torch.Tensor:
        shares = self.layer_weights[axis].softmax(0)
        embedding = F.normalize(torch.einsum("l,lnd->nd", shares, means))
        out: torch.Tensor = self.proj_layer[axis](embedding)[:, 0]
        return out


def renamed(name: str) -> str:
    """The name of a tensor of the checkpoint in the network.

    Example:
        >>> renamed("wavlm_model.encoder.layers.0.self_attn.grep_a")
        'wavlm_model.encoder.layers.0.attention.gru_rel_pos_const'
    """
    for pattern, replacement in _NAMES:
        name, count = re.subn(pattern, replacement, name)
        if count:
            return name
    return name


@dataclass(frozen=True)
class Marks:
    """The network, and how its outputs are scaled: mean and deviation by axis."""

    network: AudioboxAesthetics
    scale: Mapping[str, tuple[float, float]]


def load_audiobox(folder: Path, device: str) -> Marks:
    """The network from a folder in the format of the Hub: ``config.json`` and ``model.safetensors``.

    Raises:
        MediaError: It is none, or is of another network.
    """
    config = read_json(folder / "config.json")
    if not isinstance(config, dict):
        raise MediaError(f"{folder}/config.json is no configuration.")
    for key, value in _BUILT.items():
        if config.get(key, value) != value:
            raise MediaError(f"{folder} is another network: {key} is {config[key]!r} and must be {value!r}.")
    path = folder / "model.safetensors"
    state = {renamed(name): value for name, value in state_dict(path).items()}
    network = load_strictly(lambda: AudioboxAesthetics(configured(state)), state, path).to(device)
    return Marks(network, _scale(folder, config.get("target_transform")))


def _scale(folder: Path, given: Any) -> dict[str, tuple[float, float]]:
    try:
        return {axis: (float(given[axis]["mean"]), float(given[axis]["std"])) for axis in AXES}
    except (KeyError, TypeError, ValueError) as error:
        raise MediaError(f"{folder}/config.json lacks target_transform with a mean and a std of each axis.") from error


def configured(state: Mapping[str, torch.Tensor]) -> WavLMConfig:
    """The sizes of a WavLM by its weights, under the network's names."""
    layer = "wavlm_model.encoder.layers.0"
    position = "wavlm_model.encoder.pos_conv_embed.conv.parametrizations.weight.original1"
    width, per_group, reach = state[position].shape
    layers = sum(name.endswith("gru_rel_pos_const") for name in state)
    convolutions = sum(bool(re.search(r"conv_layers\.\d+\.conv\.weight$", name)) for name in state)
    channels = len(state["wavlm_model.feature_extractor.conv_layers.0.conv.weight"])
    return WavLMConfig(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=state[f"{layer}.attention.gru_rel_pos_const"].shape[1],
        intermediate_size=len(state[f"{layer}.feed_forward.intermediate_dense.bias"]),
        conv_dim=[channels] * convolutions,
        num_conv_pos_embeddings=reach,
        num_conv_pos_embedding_groups=width // per_group,
    )


def windows(samples: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Windows ``[n, 160000]`` of 10 s, the last one filled with zeros, and how many samples of each are sound.

    Example:
        >>> cut, valid = windows(np.ones(405_000, np.float32))
        >>> cut.shape, valid.tolist()
        ((3, 160000), [160000, 160000, 85000])
    """
    count = -(-len(samples) // _WINDOW)
    cut = np.pad(samples, (0, count * _WINDOW - len(samples))).reshape(count, _WINDOW)
    return cut, np.minimum(len(samples) - np.arange(count) * _WINDOW, _WINDOW)


@torch.inference_mode()
def marks(loaded: Marks, samples: NDArray[np.float32]) -> dict[str, float]:
    """The four marks of a recording: the mean over its windows, each counted by how much of it is sound.

    Args:
        loaded: From :func:`load_audiobox`.
        samples: float32 ``[N]`` at 16 kHz.
    """
    device = loaded.network.proj_layer[AXES[0]][0].weight.device  # type: ignore[index]
    total = dict.fromkeys(AXES, 0.0)
    # one at a time: the relative positions of a window take more memory than its sound
    for window, valid in zip(*windows(samples), strict=True):
        sound = torch.from_numpy(window)[None].to(device)
        found = loaded.network(sound, torch.arange(_WINDOW, device=device)[None] < int(valid))
        for axis, (mean, deviation) in loaded.scale.items():
            total[axis] += (found[axis].item() * deviation + mean) * int(valid)
    return {axis: value / len(samples) for axis, value in total.items()}
