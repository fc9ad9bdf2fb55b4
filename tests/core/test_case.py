# SPDX-License-Identifier: Apache-2.0
"""What decides an output is in the fingerprint; what only explains it is not."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from fvhydra.config.backend import BackendConfig
from fvhydra.config.gpu import GpuConfig
from fvhydra.config.model import LatentSpec, ModelConfig
from fvhydra.config.sampling import Sampling
from fvhydra.config.tier import TierConfig
from fvhydra.core import case as case_module
from fvhydra.core.case import Case


def _case(**changes: Any) -> Case:
    model = ModelConfig(
        name="m", model_id="M", family="f", workload="t2v", artifact="pixel", weights="org/m", pipeline="P"
    )
    fields: dict[str, Any] = {
        "index": 0,
        "prompt": "a cat",
        "seed": 1,
        "model": model,
        "sampling": Sampling(seed=1, num_inference_steps=4, height=64, width=64, num_frames=9),
        "engine": "mock",
        "backend": BackendConfig(name="torch_sdpa", folder="TORCH_SDPA"),
        "tier": TierConfig(name="smoke", weights="tiny"),
        "gpu": GpuConfig(name="cpu", folder="CPU", pattern=".*", count=0),
    }
    return Case(**(fields | changes))


def _sampling(**changes: Any) -> Sampling:
    return dataclasses.replace(_case().sampling, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": "a dog"},
        {"seed": 2},
        {"negative_prompt": "blur"},
        {"image_sha256": "00"},
        {"engine": "diffusers"},
        {"backend": BackendConfig(name="flash_attn", folder="FLASH_ATTN")},
        {"tier": TierConfig(name="default", weights="hub")},
        {"gpu": GpuConfig(name="h100", folder="H100", pattern="H100", count=2)},
        {"sampling": _sampling(num_inference_steps=3)},
        {"sampling": _sampling(guidance_scale=2.0)},
        {"sampling": _sampling(sp_size=2)},
    ],
)
def test_what_decides_the_output_changes_the_fingerprint(changes: dict[str, Any]) -> None:
    assert _case(**changes).fingerprint != _case().fingerprint


@pytest.mark.parametrize("changes", [{"index": 7}, {"shares_stem": True}, {"sampling": _sampling(seed=9)}])
def test_what_does_not_decide_it_leaves_the_fingerprint(changes: dict[str, Any]) -> None:
    assert _case(**changes).fingerprint == _case().fingerprint


def test_perturbed_weights_are_not_part_of_the_recipe() -> None:
    """Otherwise a gate could never be seen to fail: the check would answer recipe_mismatch."""
    perturbed = TierConfig(name="smoke", weights="tiny", perturb_weights=0.1)
    assert _case(tier=perturbed).fingerprint == _case().fingerprint


MODEL = ModelConfig(
    name="m",
    model_id="M",
    family="f",
    workload="t2v",
    artifact="pixel",
    weights="org/m",
    revision="a" * 40,
    pipeline="P",
    dtype="bfloat16",
    component_dtypes={"vae": "float32"},
    call={"eta": 0.5},
    smoke_call={"max_sequence_length": 16},
)
REAL = _case(
    model=MODEL,
    tier=TierConfig(name="default", weights="hub"),
    sampling=Sampling(
        seed=1,
        num_inference_steps=4,
        guidance_scale=5.0,
        height=64,
        width=64,
        num_frames=9,
        audio_s=1.0,
        flow_shift=3.0,
    ),
    gpu=GpuConfig(name="h100", folder="H100", pattern="H100", count=1),
    negative_prompt="blur",
    image_sha256="00",
)
TINY = dataclasses.replace(REAL, tier=TierConfig(name="smoke", weights="tiny"))


def _model(**changes: Any) -> dict[str, Any]:
    return {"model": dataclasses.replace(MODEL, **changes)}


def _sampled(**changes: Any) -> dict[str, Any]:
    return {"sampling": dataclasses.replace(REAL.sampling, **changes)}


CHANGES: dict[str, dict[str, Any]] = {
    "model_id": _model(model_id="N"),
    "weights.repo": _model(weights="org/n"),
    "weights.revision": _model(revision="b" * 40),
    "artifact": _model(artifact="latent", latent=LatentSpec(slice_kind="audio_first_8_timesteps")),
    "dtype": _model(dtype="float16"),
    "component_dtypes.vae": _model(component_dtypes={"vae": "float16"}),
    "call.eta": _model(call={"eta": 1.0}),
    "sampling.num_inference_steps": _sampled(num_inference_steps=5),
    "sampling.guidance_scale": _sampled(guidance_scale=6.0),
    "sampling.height": _sampled(height=96),
    "sampling.width": _sampled(width=96),
    "sampling.num_frames": _sampled(num_frames=17),
    "sampling.fps": _sampled(fps=25),
    "sampling.audio_s": _sampled(audio_s=2.0),
    "sampling.flow_shift": _sampled(flow_shift=4.0),
    "sampling.vae_tiling": _sampled(vae_tiling=True),
    "prompt": {"prompt": "a dog"},
    "negative_prompt": {"negative_prompt": "noise"},
    "seed": {"seed": 2},
    "image_sha256": {"image_sha256": "11"},
    "engine": {"engine": "diffusers"},
    "backend": {"backend": BackendConfig(name="flash_attn", folder="FLASH_ATTN")},
    "parallel.num_gpus": {"gpu": dataclasses.replace(REAL.gpu, count=2)},
    "parallel.sp_size": _sampled(sp_size=2),
}
"""Each key of the recipe with real weights, and what changes it and nothing else."""

OF_TINY_WEIGHTS: dict[str, dict[str, Any]] = {
    "weights.repo": _model(family="g"),
    "call.max_sequence_length": _model(smoke_call={"max_sequence_length": 32}),
}


def _leaves(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= _leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


def _changed(case: Case, changes: dict[str, Any]) -> set[str]:
    before, after = (_leaves(each.recipe) for each in (case, dataclasses.replace(case, **changes)))
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def test_the_recipe_has_these_keys_and_no_others() -> None:
    assert set(_leaves(REAL.recipe)) == set(CHANGES)
    assert set(_leaves(TINY.recipe)) == set(CHANGES) - {"component_dtypes.vae"} | {"call.max_sequence_length"}


@pytest.mark.parametrize("key", CHANGES)
def test_each_key_of_the_recipe_follows_what_it_names(key: str) -> None:
    assert _changed(REAL, CHANGES[key]) == {key}
    assert dataclasses.replace(REAL, **CHANGES[key]).fingerprint != REAL.fingerprint


@pytest.mark.parametrize("key", OF_TINY_WEIGHTS)
def test_each_key_of_tiny_weights_follows_what_it_names(key: str) -> None:
    assert _changed(TINY, OF_TINY_WEIGHTS[key]) == {key}
    assert _changed(REAL, OF_TINY_WEIGHTS[key]) == set()


def test_the_version_of_tiny_weights_stands_for_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    before = _leaves(TINY.recipe)
    monkeypatch.setattr(case_module, "TINY_VERSION", 99)
    after = _leaves(dataclasses.replace(TINY).recipe)
    assert {key for key in before if before[key] != after[key]} == {"weights.revision"}
    assert after["weights.revision"] == "99" and after["dtype"] == "float32"
