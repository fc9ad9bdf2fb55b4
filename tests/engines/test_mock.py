# SPDX-License-Identifier: Apache-2.0
"""What the mock makes is a function of the recipe."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from fvhydra.config.engine import EngineConfig
from fvhydra.core.case import Case
from fvhydra.core.errors import UsageError
from fvhydra.core.progress import Silent
from fvhydra.engines.mock import MockEngine
from fvhydra.testing import cases


def made(case: Case) -> str:
    frames = MockEngine(EngineConfig(_target_="", name="mock")).generate(case, Silent()).frames
    assert frames is not None
    return hashlib.sha256(frames.tobytes()).hexdigest()


def case(negative: str | None = None, gpus: int = 0, seed: int = 1, **sampling: Any) -> Case:
    name = "wan21_t2v_1_3b"
    changes = {"sampling": cases.sampling(name, **sampling), "gpu": cases.gpu(gpus), "seed": seed}
    return cases.case(name, negative_prompt=negative, **changes)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (case(num_gpus=1), case(num_gpus=2)),
        (case("blurry", negative_prompt="blurry"), case("blurry", negative_prompt="dark")),
        (case(seed=3), case(seed=3)),
    ],
    ids=["GPUs that nobody counts", "negative prompt of another set", "again"],
)
def test_one_recipe_gives_the_same_bytes(left: Case, right: Case) -> None:
    assert left.fingerprint == right.fingerprint
    assert made(left) == made(right)


def test_another_recipe_of_output_gives_other_bytes(tmp_path: Path) -> None:
    others = [case(), case(seed=2), case("blurry"), case(num_inference_steps=4), case(guidance_scale=2.5)]
    assert len({made(other) for other in others}) == len(others)


def test_components_pretend_to_work_for_as_long_as_they_are_told(tmp_path: Path) -> None:
    options = {"component_s": {"text_encoder_time_s": 0.02, "dit_time_s": 0.05}}
    seconds = MockEngine(EngineConfig("", "mock", options)).generate(case(), Silent()).seconds
    assert 0.02 <= seconds["text_encoder_time_s"] < 0.05 <= seconds["dit_time_s"] < 0.09
    assert "vae_decode_time_s" not in seconds and seconds["total_s"] >= 0.07


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"dit": 1}, "must be seconds of: text_encoder_time_s, dit_time_s, vae_decode_time_s"),
        ("fast", "must be seconds of"),
        ({"dit_time_s": "1 s"}, "component_s.dit_time_s=1 s must be seconds"),
        ({"dit_time_s": -1}, "must be seconds, 0 to 3600"),
    ],
)
def test_times_that_are_none_are_refused(given: Any, wrong: str) -> None:
    with pytest.raises(UsageError, match=wrong):
        MockEngine(EngineConfig("", "mock", {"component_s": given}))
