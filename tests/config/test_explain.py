# SPDX-License-Identifier: Apache-2.0
"""Wrong words and values, as sentences: composed as the command line does it, without a process for each."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from fvhydra.config import explain as explain_module
from fvhydra.config.explain import explain
from fvhydra.config.load import build_config
from fvhydra.config.problems import ConfigError
from fvhydra.config.schema import conf_dir, register
from fvhydra.launch import plugins


@pytest.fixture(autouse=True)
def registered() -> None:
    register()
    plugins.register()


def problems(*overrides: str) -> list[str]:
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


ENGINES = "there is no such engine.{} Allowed: diffusers, fastvideo, mock."
WRONG = {
    "engine=": "engine=: " + ENGINES.format(""),
    "engine=mocc": "engine=mocc: " + ENGINES.format(" Did you mean 'mock'?"),
    "model=[ltx2]": "model=[ltx2]: Error resolving interpolation '${model}'",
    "metrics=[pixel, pixl, x.y]": "metrics=[pixel, pixl, x.y]: there is no such metrics. Did you mean 'pixel'?",
    "metrics=common.ssim": "metrics=common.ssim: this chooses sets (audio, fvd, ",
    "a=[": "'a=[' cannot be read as key=value; quote a value that has special characters.",
    "op.confirm": "'op.confirm' cannot be read as key=value; quote a value that has special characters.",
    "seed=null": "seed=null: field 'seed' is not Optional.",
    "hydra/launcher=none": "hydra/launcher=none: In 'hydra/config': Could not find 'hydra/launcher/none'.",
    "engine.options.deep.x=1": "engine.options has no entry 'deep' yet. To add it, write +engine.options.deep.x=1.",
    "engine.timeout_s=x": "engine.timeout_s=x: Value 'x' of type 'str' could not be converted to Float.",
    "nothing.here=1": "There is no key 'nothing'. The top level has: op, model, sampling,",
    "engine/foo=1": "There is no key 'engine/foo'. Did you mean 'engine'? The top level has: op, model,",
}
"""Overrides, choices of groups first, and how the sentence on each begins."""


def test_each_override_has_its_sentence_and_is_looked_at_on_top_of_those_that_are_fine() -> None:
    given = ["seed=3", *(word for word in WRONG if "[" not in word), "engine=mock"]
    found = explain([*given, *(word for word in WRONG if "[" in word)], [conf_dir()], HydraException("x")).problems
    assert len(found) == len(WRONG) and all(problem.endswith(".") for problem in found)
    for begins in WRONG.values():
        assert [problem for problem in found if problem.startswith(begins)]
    assert [problem.partition("=")[0] for problem in found[:2]] == ["engine"] * 2


def test_choices_of_a_second_folder_are_allowed_too(tmp_path: Path) -> None:
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "mocha.yaml").write_text("name: mocha\n")
    (tmp_path / "engine" / "notes.txt").write_text("")
    [problem] = explain(["engine=mochi"], [conf_dir(), tmp_path], HydraException("x")).problems
    assert problem == (
        "engine=mochi: there is no such engine. Did you mean 'mocha'? Allowed: diffusers, fastvideo, mocha, mock."
    )


def test_of_a_sweep_the_first_values_are_looked_at_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explain_module, "_LOOKED_AT", 2)
    found = explain(["engine=a,b,c", "seed=1,x,y"], [conf_dir()], HydraException("x")).problems
    assert [problem.partition(":")[0] for problem in found] == ["engine=a", "engine=b", "seed=x"]


def test_where_no_override_is_at_fault_hydras_first_line_is_the_answer() -> None:
    for said, sentence in (
        ("It is off.\nBecause.", "It is off."),
        ("In 'x':\nCould not find 'y'\nz", "In 'x': Could not find 'y'."),
        ("In 'x':", "In 'x':."),
        ("", "HydraException."),
    ):
        assert explain([], [conf_dir()], HydraException(said)).problems == [sentence]
