# SPDX-License-Identifier: Apache-2.0
"""The networks against the same mathematics written out plainly, on tiny weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from transformers import CLIPModel, ViTModel

from fvhydra.core.errors import MediaError
from fvhydra.metrics.assets import HubAssets
from fvhydra.metrics.base import Shared, Skipped
from fvhydra.metrics.models import clap, clip, dino, images, loading, lpips, videos, weights
from fvhydra.metrics.models.images import IMAGENET, normalise, to_tensor
from fvhydra.metrics.models.tiny import build_network
from tests.metrics.golden import load, recipes
from tests.metrics.golden.captured import assert_captured
from tests.similarity.conftest import textured

CLIP, OTHER = textured(5, 70, 110), textured(5, 70, 110, seed=1)


def tiny(name: str, assets: HubAssets) -> Path:
    return build_network(name, assets.cache_dir)


def plain_lpips(
    x: torch.Tensor, y: torch.Tensor, backbone: dict[str, torch.Tensor], heads: dict[str, torch.Tensor]
) -> float:
    """Of one pair ``[3, H, W]`` in [-1, 1], as the paper has it."""

    def features(image: torch.Tensor) -> list[torch.Tensor]:
        shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
        hidden, found = ((image - shift[:, None, None]) / scale[:, None, None])[None], []
        for index, stride, padding, pool in ((0, 4, 2, 1), (3, 1, 2, 1), (6, 1, 1, 0), (8, 1, 1, 0), (10, 1, 1, 0)):
            weight, bias = backbone[f"features.{index}.weight"], backbone[f"features.{index}.bias"]
            hidden = F.conv2d(hidden, weight, bias, stride, padding).clamp(min=0)
            found.append(hidden[0] / (hidden[0].square().sum(0).sqrt() + 1e-10))
            hidden = F.max_pool2d(hidden, 3, 2) if pool else hidden
        return found

    total = 0.0
    for stage, (a, b) in enumerate(zip(features(x), features(y), strict=True)):
        weighted = heads[f"lin{stage}.model.1.weight"][0] * (a - b) ** 2
        total += float(weighted.sum(0).mean())
    return total


def test_lpips_is_the_papers(assets: HubAssets) -> None:
    paths = tiny("alexnet", assets), tiny("lpips_alex", assets)
    found = lpips.distances(lpips.load_lpips(*paths, "cpu"), CLIP, OTHER, 512)
    pairs = zip(2 * to_tensor(CLIP) - 1, 2 * to_tensor(OTHER) - 1, strict=True)
    states = [loading.state_dict(path) for path in paths]
    assert found == pytest.approx([plain_lpips(x, y, *states) for x, y in pairs], rel=1e-5)
    assert (found > 0.05).all()


def test_lpips_takes_published_files(assets: HubAssets, tmp_path: Path) -> None:
    whole = loading.state_dict(tiny("alexnet", assets)) | {"classifier.1.weight": torch.zeros(4)}
    torch.save(whole, tmp_path / "alexnet.pth")
    network = lpips.load_lpips(tmp_path / "alexnet.pth", tiny("lpips_alex", assets), "cpu")
    assert set(network.state_dict()) == {
        *(f"features.{index}.{part}" for index in (0, 3, 6, 8, 10) for part in ("weight", "bias")),
        *(f"heads.{stage}.weight" for stage in range(5)),
    }


def dinos_own(model: ViTModel, images: torch.Tensor) -> torch.Tensor:
    """The class token, by the steps of facebookresearch/dino's vision_transformer.py."""
    state, patch = model.state_dict(), model.config.patch_size
    projection = "embeddings.patch_embeddings.projection"
    patches = F.conv2d(images, state[f"{projection}.weight"], state[f"{projection}.bias"], stride=patch)
    height, width = images.shape[2] // patch, images.shape[3] // patch
    learned = state["embeddings.position_embeddings"]
    side = round((learned.shape[1] - 1) ** 0.5)
    grid = learned[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, scale_factor=((height + 0.1) / side, (width + 0.1) / side), mode="bicubic")
    assert grid.shape[2:] == (height, width)
    tokens = torch.cat(
        [
            (state["embeddings.cls_token"] + learned[:, :1]).expand(len(images), -1, -1),
            (patches + grid).flatten(2).transpose(1, 2),
        ],
        dim=1,
    )
    with torch.inference_mode():
        for layer in model.layers:
            tokens = layer(tokens, None)
        return model.layernorm(tokens)[:, 0]


@pytest.mark.parametrize("size", [(70, 110), (110, 70)])
def test_dino_stretches_its_positions_as_dino_does(assets: HubAssets, size: tuple[int, int]) -> None:
    frames = textured(3, *size)
    model = dino.load_dino(tiny("dino_b16", assets), "cpu")
    found = dino.features(model, frames, 512)
    assert found == pytest.approx(dinos_own(model, dino.preprocess(frames)).numpy(), abs=1e-5)
    plain = loading.pretrained(ViTModel, tiny("dino_b16", assets), "cpu", add_pooling_layer=False)
    with torch.inference_mode():
        hidden = plain(dino.preprocess(frames), interpolate_pos_encoding=True).last_hidden_state
    assert np.abs(found - hidden[:, 0].numpy()).max() > 1e-3  # the trap that this is about


def test_dino_leaves_its_positions_alone_on_squares(assets: HubAssets) -> None:
    frames = textured(2, 64, 64)
    plain = loading.pretrained(ViTModel, tiny("dino_b16", assets), "cpu", add_pooling_layer=False)
    with torch.inference_mode():
        expected = plain(dino.preprocess(frames)).last_hidden_state[:, 0]
    found = dino.features(dino.load_dino(tiny("dino_b16", assets), "cpu"), frames, 512)
    assert found == pytest.approx(expected.numpy(), abs=1e-6)


@pytest.mark.parametrize("name", ["clip_b32", "clip_l14"])
def test_clip_is_all_of_clips_image_features(assets: HubAssets, name: str) -> None:
    whole = loading.pretrained(CLIPModel, tiny(name, assets), "cpu")
    with torch.inference_mode():
        expected = whole.get_image_features(pixel_values=clip.preprocess(CLIP)).pooler_output
    found = clip.features(clip.load_clip(tiny(name, assets), "cpu"), CLIP, 512)
    assert found == pytest.approx(expected.numpy(), abs=1e-5)


def test_clips_words_are_all_of_clips_text_features(assets: HubAssets) -> None:
    folder = tiny("clip_b32", assets)
    whole, text = loading.pretrained(CLIPModel, folder, "cpu"), clip.load_text(folder, "cpu")
    with torch.inference_mode():
        ids = text.tokenizer("oil painting", return_tensors="pt")["input_ids"]
        expected = whole.get_text_features(input_ids=ids).pooler_output[0]
    assert clip.text_features(text, "oil painting") == pytest.approx(expected.numpy(), abs=1e-6)
    long = "word " * 100
    assert clip.text_features(text, long) == pytest.approx(clip.text_features(text, long[:-5]), abs=0)


@pytest.mark.parametrize("size", [(90, 151), (151, 97)])
def test_pictures_for_clip_are_scaled_by_pillow_and_cut_as_torchvision_does(size: tuple[int, int]) -> None:
    frames = textured(2, *size)
    found = clip.preprocess_pictures(frames) * torch.tensor(images.CLIP[1])[:, None, None]
    found += torch.tensor(images.CLIP[0])[:, None, None]
    height, width = images.short_size(size, 224)
    picture = Image.fromarray(frames[1]).resize((width, height), Image.Resampling.BICUBIC)
    top, left = round((height - 224) / 2), round((width - 224) / 2)
    cut = np.asarray(picture.crop((left, top, left + 224, top + 224)))
    assert (found[1].permute(1, 2, 0) * 255).round().numpy() == pytest.approx(cut, abs=0)


@pytest.mark.parametrize("name", ["clip_l14", "dino_b16"])
def test_batches_do_not_change_features(assets: HubAssets, name: str) -> None:
    module = {"clip_l14": clip, "dino_b16": dino}[name]
    load = {"clip_l14": clip.load_clip, "dino_b16": dino.load_dino}[name]
    network = load(tiny(name, assets), "cpu")
    whole, single = (module.features(network, CLIP, memory_mb) for memory_mb in (4096, 1))
    assert whole == pytest.approx(single, abs=1e-5)


def test_loading_leaves_the_library_as_it_was(assets: HubAssets, capfd: pytest.CaptureFixture[str]) -> None:
    import transformers.utils.logging as settings

    before = settings.get_verbosity(), settings.is_progress_bar_enabled()
    clap.load_clap(tiny("clap", assets), "cpu")
    clip.load_clip(tiny("clip_b32", assets), "cpu")
    assert (settings.get_verbosity(), settings.is_progress_bar_enabled()) == before
    assert capfd.readouterr() == ("", "")


class Payload:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('ran')",)


def test_pickled_code_does_not_run(tmp_path: Path) -> None:
    torch.save({"weight": Payload()}, tmp_path / "weights.pth")
    with pytest.raises(MediaError, match="a pickle with other objects or code in it"):
        loading.state_dict(tmp_path / "weights.pth")


def test_torchscript_of_unknown_hash_is_refused(assets: HubAssets) -> None:
    assert weights.I3D.sha256 is not None
    with pytest.raises(Skipped, match="runs code, and its sha256 is not known"):
        loading.torchscript(tiny("i3d", assets), replace(weights.I3D, sha256=None), "cpu")


# the video networks

EXTRACTORS = load("fvd_extractors")


@pytest.mark.parametrize("name", EXTRACTORS["i3d"])
def test_i3d_is_shown_what_was_recorded(assets: HubAssets, name: str) -> None:
    case = EXTRACTORS["i3d"][name]
    pictures = videos.i3d(tiny("i3d", assets), "cpu", Shared()).preprocess(recipes.clip(recipes.build(case["video"])))
    assert_captured(pictures, case["captured_BCTHW"])
    # what stood for the network: the mean of each colour
    assert pictures.double().mean((0, 2, 3)).tolist() == pytest.approx(case["features"][0], abs=1e-6)


def test_i3d_is_called_as_stylegan_v_calls_it(assets: HubAssets) -> None:
    encoder = videos.i3d(tiny("i3d", assets), "cpu", Shared())
    network = loading.torchscript(tiny("i3d", assets), weights.I3D, "cpu")
    clip = textured(12, 40, 60)
    batch = encoder.preprocess(clip).permute(1, 0, 2, 3)[None]
    with torch.inference_mode():
        logits = network(batch, False, False, True)
    assert encoder.encode(encoder.preprocess(clip)) == pytest.approx(logits[0].numpy(), abs=1e-6)
    assert (logits.shape, encoder.fewest, encoder.most) == ((1, 400), 10, None)


def test_videomae_takes_as_many_frames_as_it_knows(assets: HubAssets) -> None:
    encoder = videos.videomae(tiny("videomae_base", assets), "cpu", Shared())
    assert (encoder.fewest, encoder.most) == (16, 16)
    pictures = encoder.preprocess(textured(16, 40, 60))
    squeezed = F.interpolate(to_tensor(textured(16, 40, 60)), (224, 224), mode="bilinear", align_corners=False)
    assert torch.equal(pictures, normalise(squeezed, IMAGENET))
    assert encoder.encode(pictures).shape == (32,)


def test_clips_features_of_a_clip_are_the_mean_of_its_frames(assets: HubAssets) -> None:
    encoder = videos.clip(tiny("clip_b32", assets), "cpu", Shared())
    alone = [encoder.encode(encoder.preprocess(frame[None])) for frame in CLIP]
    assert encoder.encode(encoder.preprocess(CLIP)) == pytest.approx(np.mean(alone, 0), abs=1e-5)


# sound and text


def tone(seconds: float, hertz: float = 440, seed: int = 0) -> np.ndarray:
    times = np.arange(int(seconds * clap.RATE_HZ)) / clap.RATE_HZ
    noise = np.random.default_rng(seed).normal(0, 0.1, len(times))
    return (0.5 * np.sin(2 * np.pi * hertz * times * (1 + times / 40)) + noise).astype(np.float32)


def test_claps_embeddings_are_of_unit_length(assets: HubAssets) -> None:
    model = clap.load_clap(tiny("clap", assets), "cpu")
    for embedding in (clap.audio_embedding(model, tone(2)), clap.text_embedding(model, "a dog barks")):
        assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-6)


def test_a_long_recording_has_one_embedding(assets: HubAssets) -> None:
    model = clap.load_clap(tiny("clap", assets), "cpu")
    np.random.seed(1)
    first = clap.audio_embedding(model, tone(12))
    drawn = np.random.random()
    np.random.seed(2)
    assert np.array_equal(clap.audio_embedding(model, tone(12)), first)
    np.random.seed(1)
    assert np.random.random() == drawn  # nobody else's random numbers were taken
    assert not np.allclose(clap.audio_embedding(model, tone(12, 880)), first, atol=1e-3)


def test_a_long_text_is_cut(assets: HubAssets) -> None:
    model = clap.load_clap(tiny("clap", assets), "cpu")
    long, longer = ("a" * count for count in (200, 900))
    assert np.array_equal(clap.text_embedding(model, long), clap.text_embedding(model, longer))
