# SPDX-License-Identifier: Apache-2.0
"""What decides an output is in the fingerprint; what only explains it is not."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from fvhydra.config.backend import BackendConfig
from fvhydra.config.gpu import GpuConfig
from fvhydra.config.model import ModelConfig
from fvhydra.config.sampling import Sampling
from fvhydra.config.tier import TierConfig
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
