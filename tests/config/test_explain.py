# SPDX-License-Identifier: Apache-2.0
"""Wrong words and values, as sentences: composed as the command line does it, without a process for each."""

from __future__ import annotations

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from fvhydra.config.explain import explain
from fvhydra.config.load import build_config
from fvhydra.config.problems import ConfigError
from fvhydra.config.schema import conf_dir, register
from fvhydra.launch import plugins


def problems(*overrides: str) -> list[str]:
    register()
    plugins.register()
    try:
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            build_config(compose("config", overrides=list(overrides)))
    except ConfigError as error:
        return error.problems
    except (HydraException, OmegaConfBaseException) as error:
        return explain(overrides, [conf_dir()], error).problems
    return []


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("model.call={bogus: 1}", "model.call has no entry 'bogus' yet. To add it, write +model.call.bogus=<value>."),
        ("engine.options.x=1", "engine.options has no entry 'x' yet. To add it, write +engine.options.x=1."),
        ("sampling={heigt: 1}", "There is no key 'sampling.heigt'. Did you mean 'height'?"),
        ("sampling=ltx3/smoke", "there is no such sampling. Did you mean 'ltx2/smoke'?"),
        ("metrics=[pixel,common.ssim]", "lpips, optical_flow"),
        ("metrics=[pixel,common.ssim]", "; to add common.ssim: '+metrics.use.common.ssim={}'."),
        ("metrics=[pixel,pixl]", "there is no such metrics. Did you mean 'pixel'?"),
        ("+sed=3", "There is no key 'sed'. Did you mean 'seed'? The top level has: op, model,"),
        ("+model.constraints.frames=3", "There is no key 'model.constraints.frames'. "),
        ("~seed", "seed: keys cannot be taken away; give it another value."),
        ("~sampling.height", "~sampling.height: keys cannot be taken away; give it another value."),
        ("+model@foo=ltx2", "ConfigKeyError raised while composing config: Key 'foo' not in 'Config'."),
        ("sampling.guidance_scale=nan", "sampling.guidance_scale=nan: must be a finite number."),
        ("sampling.flow_shift=inf", "sampling.flow_shift=inf: must be a finite number."),
        ("tier.perturb_weights=inf", "tier.perturb_weights=inf: must be a finite number."),
        ("op.name=../../x", "op.name='../../x': must be letters, digits, '.', '_' and '-', and not begin with '.'."),
        ("model.name=.x", "model.name='.x': must be letters"),
        ("model.model_id=a/b", "model.model_id='a/b': must be letters"),
        ("gpu.folder=''", "gpu.folder='': must be letters"),
    ],
)
def test_the_true_reason(override: str, sentence: str) -> None:
    (problem,) = problems(override)
    assert sentence in problem


def test_free_form_entries_may_be_added() -> None:
    assert problems("+engine.options.x=1", "+model.call.bogus=1", "+op.options.mine={a: 1}") == []


def test_limits_are_heard_beside_wrong_values() -> None:
    found = problems("sampling.num_frames=46", "sampling.height=177", "seed=-1", "sampling.guidance_scale=nan")
    assert sorted(problem.partition("=")[0] for problem in found) == [
        *("sampling.guidance_scale", "sampling.height", "sampling.num_frames", "seed")
    ]


def test_a_sweep_without_its_flag_is_told_what_is_missing() -> None:
    error = HydraException("Ambiguous value for argument 'model=ltx2,foo'\n1. ... use --multirun")
    found = explain(["model=ltx2,foo", "seed=x"], [conf_dir()], error).problems
    assert found[0] == "model=ltx2,foo: several values are a sweep; add -m."
    assert [problem.partition(":")[0] for problem in found[1:]] == ["model=foo", "seed=x"]
