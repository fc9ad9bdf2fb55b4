# SPDX-License-Identifier: Apache-2.0
"""Small random weights under the names and in the formats of the real ones, to try out how metrics run.

They go through the same loading, preprocessing and scoring as real weights; their scores mean nothing.
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import save_file
from tokenizers.pre_tokenizers import ByteLevel
from torch import nn
from transformers import (
    ClapAudioConfig,
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    ClapTextConfig,
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTokenizer,
    RobertaTokenizer,
    VideoMAEConfig,
    VideoMAEModel,
    ViTConfig,
    ViTModel,
    WavLMConfig,
)

from fvhydra.core.files import explained
from fvhydra.metrics.models import musiq, tiny_language
from fvhydra.metrics.models.amt import Amt
from fvhydra.metrics.models.audiobox import AXES, AudioboxAesthetics
from fvhydra.metrics.models.imagebind import ImageBind
from fvhydra.metrics.models.imagebind import Size as ImageBindSize
from fvhydra.metrics.models.loading import quiet
from fvhydra.metrics.models.lpips import CHANNELS, Lpips
from fvhydra.metrics.models.passt import Passt
from fvhydra.metrics.models.passt import Size as PasstSize
from fvhydra.metrics.models.raft import Raft
from fvhydra.metrics.models.synchformer import Size as SynchformerSize
from fvhydra.metrics.models.synchformer import Synchformer

VERSION = 2
"""Raised with every change of the weights."""

M = TypeVar("M", bound=nn.Module)

_LAYERS = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}


def build_network(name: str, cache_dir: Path) -> Path:
    """The folder or file of a tiny asset; built when it is not there yet. Any number of processes may build at once."""
    target = cache_dir / "tiny-metrics" / f"{name}-{VERSION}"
    if not target.exists():
        with explained(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            building = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=target.parent))
            try:
                with quiet(), torch.random.fork_rng(devices=[]), torch.no_grad():
                    _BUILDERS[name](building)
                building.rename(target)
            except OSError:
                if not target.exists():  # another process was first
                    raise
            finally:
                shutil.rmtree(building, ignore_errors=True)
    single = target / _FILE
    return single if single.exists() else target


_FILE = "weights.pt"


def _alexnet(folder: Path) -> None:
    network = _seeded(Lpips())
    torch.save({f"features.{name}": value for name, value in network.features.state_dict().items()}, folder / _FILE)


def _lpips_heads(folder: Path) -> None:
    torch.manual_seed(1)
    heads = {f"lin{index}.model.1.weight": torch.rand(1, width, 1, 1) for index, width in enumerate(CHANNELS)}
    torch.save(heads, folder / _FILE)


def _clip(patch: int, width: int) -> Callable[[Path], None]:
    def save(folder: Path) -> None:
        vision = {**_LAYERS, "patch_size": patch, "image_size": 224, "projection_dim": width}
        tokens = _bytes_of_text()
        text = {**_LAYERS, "vocab_size": len(tokens), "projection_dim": width}
        config = CLIPConfig(vision_config=vision, text_config=text, projection_dim=width)
        _seeded(CLIPModel(config)).save_pretrained(folder)
        CLIPImageProcessorPil().save_pretrained(folder)
        CLIPTokenizer(vocab=tokens, merges=[]).save_pretrained(folder)

    return save


def _bytes_of_text() -> dict[str, int]:
    """A vocabulary in CLIP's form without any merges: bytes, bytes that end a word, and the two ends of a text."""
    alphabet = sorted(ByteLevel.alphabet())
    tokens = [*alphabet, *(f"{letter}</w>" for letter in alphabet), "<|startoftext|>", "<|endoftext|>"]
    return {token: index for index, token in enumerate(tokens)}


def _aesthetic_head(folder: Path) -> None:
    torch.save(_seeded(nn.Linear(768, 1)).state_dict(), folder / _FILE)


def _dino(folder: Path) -> None:
    config = ViTConfig(**_LAYERS, patch_size=16, image_size=224, layer_norm_eps=1e-6)
    _seeded(ViTModel(config, add_pooling_layer=False)).save_pretrained(folder)


def _videomae(folder: Path) -> None:
    _seeded(VideoMAEModel(VideoMAEConfig(**_LAYERS, image_size=224, num_frames=16))).save_pretrained(folder)


class _TinyI3d(nn.Module):
    """A small network with the call signature of StyleGAN-V's I3D."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv3d(3, 16, (3, 16, 16), stride=(2, 16, 16))
        self.logits = nn.Linear(32, 400)

    def forward(self, x: torch.Tensor, rescale: bool, resize: bool, return_features: bool) -> torch.Tensor:
        hidden = torch.relu(self.convolution(x)).flatten(2)
        logits: torch.Tensor = self.logits(torch.cat([hidden.mean(2), hidden.std(2)], 1))
        return logits if return_features else logits.softmax(1)


def _i3d(folder: Path) -> None:
    script: Any = torch.jit.script(_seeded(_TinyI3d()).eval())
    script.save(folder / _FILE)


def _raft(folder: Path) -> None:
    state = _seeded(Raft(stem=8, hidden=16)).state_dict()
    torch.save({f"module.{name}": value for name, value in state.items()}, folder / _FILE)


def _amt(folder: Path) -> None:
    torch.save({"state_dict": _seeded(Amt()).state_dict()}, folder / _FILE)


def _musiq(folder: Path) -> None:
    network = musiq.Musiq(musiq.Size(stem=32, width=64, mlp=96, heads=1, layers=2))
    torch.save(_seeded(network).state_dict(), folder / _FILE)


def _clap(folder: Path) -> None:
    letters = [chr(code) for code in range(33, 127)] + ["\u0120"]  # what a space becomes
    vocabulary = {token: index for index, token in enumerate(["<s>", "<pad>", "</s>", "<unk>", "<mask>", *letters])}
    text = ClapTextConfig(**_LAYERS, vocab_size=len(vocabulary), max_position_embeddings=130, projection_dim=32)
    audio = ClapAudioConfig(
        patch_embeds_hidden_size=8, depths=[1, 1, 1, 1], num_attention_heads=[1, 1, 2, 2], hidden_size=64,
        projection_dim=32, enable_fusion=True, num_mel_bins=64,
    )  # fmt: skip
    config = ClapConfig(text_config=text.to_dict(), audio_config=audio.to_dict(), projection_dim=32)
    _seeded(ClapModel(config)).save_pretrained(folder)
    ClapFeatureExtractor().save_pretrained(folder)
    RobertaTokenizer(vocab=vocabulary, merges=[], model_max_length=128).save_pretrained(folder)


def _passt(folder: Path) -> None:
    torch.save(_seeded(Passt(PasstSize(width=64, depth=2, heads=1))).state_dict(), folder / _FILE)


def _audiobox(folder: Path) -> None:
    config = WavLMConfig(**_LAYERS, conv_dim=[16] * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4)
    state = _seeded(AudioboxAesthetics(config)).state_dict()
    save_file(state, folder / "model.safetensors")
    transform = {axis: {"mean": 5.0, "std": 2.0} for axis in AXES}
    (folder / "config.json").write_text(json.dumps({"target_transform": transform}), encoding="utf-8")


def _imagebind(folder: Path) -> None:
    size = ImageBindSize(width=80, depth=2, heads=1, audio_width=64, audio_depth=2, audio_heads=1, out=32)
    torch.save(_seeded(ImageBind(size)).state_dict(), folder / _FILE)


def _synchformer(folder: Path) -> None:
    size = SynchformerSize(width=64, depth=1, heads=1, compared_depth=1)
    torch.save(_seeded(Synchformer(size)).state_dict(), folder / _FILE)


def _videoscore2(folder: Path) -> None:
    headings = "visual quality", "text-to-video alignment", "physical/common-sense consistency"
    form: list[str | tuple[str, ...]] = []
    for number, heading in enumerate(headings, start=1):
        form += [f"\n({number}) {heading}: ", tuple("12345")]
    _seeded(tiny_language.qwen_vl(form, folder)).save_pretrained(folder)


def _seeded(module: M) -> M:
    """Replace the weights that the library initialised by seeded ones that keep every layer active."""
    generator = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim < 2:
            parameter.add_(0.1 * noise)
        elif parameter.shape[0] == 1:  # tokens and positions, which are added to what is of about this size
            parameter.copy_(0.5 * noise)
        else:
            parameter.copy_(noise / math.sqrt(math.prod(parameter.shape[1:])))
    return module


_BUILDERS: dict[str, Callable[[Path], None]] = {
    "alexnet": _alexnet,
    "amt_s": _amt,
    "lpips_alex": _lpips_heads,
    "musiq_spaq": _musiq,
    "clip_b32": _clip(32, 512),
    "clip_l14": _clip(14, 768),
    "aesthetic_head": _aesthetic_head,
    "dino_b16": _dino,
    "videomae_base": _videomae,
    "i3d": _i3d,
    "clap": _clap,
    "audiobox": _audiobox,
    "imagebind": _imagebind,
    "videoscore2": _videoscore2,
    "passt": _passt,
    "raft": _raft,
    "synchformer": _synchformer,
}
"""Name of the asset to what writes its files into a folder."""

NAMES = frozenset(_BUILDERS)
"""Of the assets that there are tiny weights for."""
