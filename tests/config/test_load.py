# SPDX-License-Identifier: Apache-2.0
"""From what Hydra composed to validated objects: every problem at once, each with its key."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf, open_dict

from fvhydra.config.load import build_config
from fvhydra.config.model import ModelConfig
from fvhydra.config.problems import ConfigError
from fvhydra.config.root import Config
from fvhydra.config.schema import conf_dir, register
from fvhydra.launch import plugins


@pytest.fixture(scope="module")
def whole() -> Iterator[DictConfig]:
    register()
    plugins.register()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        yield compose("config", overrides=["model=wan21_t2v_1_3b", "engine=mock"])
    GlobalHydra.instance().clear()


@pytest.fixture
def composed(whole: DictConfig) -> DictConfig:
    return copy.deepcopy(whole)


def _problems(composed: DictConfig, known: dict[str, Any] | None = None) -> list[str]:
    try:
        build_config(composed, known)
    except ConfigError as error:
        return error.problems
    return []


def test_what_is_sound_becomes_objects(composed: DictConfig) -> None:
    config = build_config(composed)
    assert isinstance(config, Config) and isinstance(config.model, ModelConfig)
    assert config.model.name == "wan21_t2v_1_3b" and config.seed == config.sampling.seed
    assert config.prompt is None and config.runs == []


def test_values_of_the_same_composition_are_taken_as_they_are(composed: DictConfig) -> None:
    before = build_config(composed)
    composed.seed = 7
    after = build_config(composed, {"model": before.model, "sampling": before.sampling})
    assert after.model is before.model and after.sampling is before.sampling and after.seed == 7
    assert after.engine == before.engine and after.engine is not before.engine


def test_a_key_that_is_not_there_cannot_be_taken_away(composed: DictConfig) -> None:
    with open_dict(composed):
        del composed["seed"]
        del composed["prompt"]
    assert _problems(composed) == [
        "seed: keys cannot be taken away; give it another value.",
        "prompt: keys cannot be taken away; give it another value.",
    ]


def test_every_wrong_value_is_named_with_what_is_allowed(composed: DictConfig) -> None:
    composed.seed = -1
    composed.sampling.guidance_scale = float("nan")
    composed.model.dtype = "int8"
    composed.model.name = "a/b"
    composed.engine.timeout_s = 5
    found = _problems(composed)
    assert found == [
        "model.name='a/b': must be letters, digits, '.', '_' and '-', and not begin with '.'.",
        "model.dtype='int8': must be one of: float32, bfloat16, float16.",
        "sampling.guidance_scale=nan: must be a finite number.",
        "engine: timeout_s can only end an engine in a process of its own; add engine.isolate=true.",
        "seed=-1: must be greater than or equal to 0.",
    ]


def test_sizes_are_heard_beside_what_is_wrong_in_the_sampling(composed: DictConfig) -> None:
    composed.sampling.guidance_scale = -1.0
    composed.sampling.num_frames = 46
    rule = "must be a multiple of 4 plus 1 for model=wan21_t2v_1_3b; nearest: 45 or 49."
    assert _problems(composed) == [
        "sampling.guidance_scale=-1.0: must be greater than or equal to 0.",
        f"sampling.num_frames=46: {rule}",
    ]
    composed.sampling.num_frames = -1  # wrong by itself, so no size either
    assert [problem.partition("=")[0] for problem in _problems(composed)] == [
        *("sampling.guidance_scale", "sampling.num_frames")
    ]


def test_a_model_that_is_wrong_says_nothing_of_sizes(composed: DictConfig) -> None:
    composed.model.dtype = "int8"
    composed.sampling.num_frames = 46
    assert [problem.partition("=")[0] for problem in _problems(composed)] == ["model.dtype"]


def test_sampling_that_is_no_object_is_one_problem(composed: DictConfig) -> None:
    plain = OmegaConf.create({key: composed[key] for key in composed if key != "sampling"})
    plain.sampling = [1]
    [problem] = _problems(plain)
    assert problem.startswith("sampling=[1]: must be ")


def test_a_password_is_not_repeated(composed: DictConfig) -> None:
    composed.model.name = "https://ada:secret@hub.example"
    [problem] = _problems(composed)
    assert problem.startswith("model.name='https://hub.example': must be letters")


def test_a_value_that_is_missing_or_refers_to_nothing_is_named(composed: DictConfig) -> None:
    composed.model.weights = "???"
    composed.seed = "${nothing.here}"
    missing, refers = _problems(composed)
    assert missing == "model.weights must be given: Hub repository of the weights."
    assert refers == "seed: Interpolation key 'nothing.here' not found."


def test_keys_that_the_schema_has_not_are_named_with_those_it_has(composed: DictConfig) -> None:
    OmegaConf.update(composed, "sed", 3, force_add=True)
    OmegaConf.update(composed, "model.constraints.frames", 3, force_add=True)
    inner, top = sorted(_problems(composed), key=lambda problem: "top level" in problem)
    assert top.startswith("There is no key 'sed'. Did you mean 'seed'? The top level has: op, model, sampling, engine,")
    assert inner == (
        "There is no key 'model.constraints.frames'. Did you mean 'frames_also'? model.constraints has: "
        "frames_multiple, frames_also, size_multiple, frames_dropped."
    )


def test_free_form_keys_and_hydras_own_may_be_any(composed: DictConfig) -> None:
    with open_dict(composed):
        composed.engine.options.mine = {"a": 1}
        composed.hydra = {"job": {"num": 1}}
    assert _problems(composed) == []


def test_metrics_that_are_none_are_named_whatever_else_is_wrong(composed: DictConfig) -> None:
    composed.metrics.use = {"common": {"ssim": 1}}
    composed.seed = -1
    assert _problems(composed) == [
        "seed=-1: must be greater than or equal to 0.",
        "metrics.use.common.ssim=1: must be parameters, {} or null.",
    ]


def test_only_values_that_were_built_before_are_not_looked_at_for_unknown_keys(composed: DictConfig) -> None:
    with open_dict(composed):
        composed.sed = 3
    assert _problems(composed, {"seed": 1}) == []


def test_numbers_of_free_form_settings_are_ones_that_a_record_can_hold(composed: DictConfig) -> None:
    with open_dict(composed):
        composed.engine.options = {"a": [1, {"b": float("inf")}], "c": 10**19 - 1, "d": [10**19], "e": -(10**19)}
        composed.model.call = {"x": float("nan"), "y": 1.5}
    rule = "must be a finite number of at most 19 digits."
    assert sorted(_problems(composed)) == [
        f"engine.options.a.b=inf: {rule}",
        f"engine.options.d=10000000000000000000: {rule}",
        f"engine.options.e=-10000000000000000000: {rule}",
        f"model.call.x=nan: {rule}",
    ]
    known = {"engine": build_config(_mended(composed)).engine}
    assert [said.partition("=")[0] for said in _problems(composed, known)] == ["model.call.x"]


def _mended(composed: DictConfig) -> DictConfig:
    mended = copy.deepcopy(composed)
    with open_dict(mended):
        mended.engine.options, mended.model.call = {}, {}
    return mended


def test_a_part_of_an_object_is_named_where_it_alone_can_be_meant(composed: DictConfig) -> None:
    with open_dict(composed):
        composed.model.pixel_gate.mean_ms_ssim = 2.0
    assert _problems(composed) == ["model.pixel_gate.mean_ms_ssim=2.0: must be less than or equal to 1."]
