# SPDX-License-Identifier: Apache-2.0
"""Presets: settings under a name and a version. A name that is unknown is an error, and their version is identity."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from fvhydra.config.model import Default, Preset
from fvhydra.core.case import Case
from fvhydra.testing import cases
from tests.conftest import Cli

MODEL = """\
# A fine-tune with presets
defaults:
  - wan21_t2v_1_3b
  - _self_
name: mine
model_id: Mine
presets:
  official:
    version: 3
    defaults:
      num_inference_steps: {value: 2, source: "generate.py, --sample_steps"}
      guidance_scale: {value: 5.0, source: model card}
    stage_schemas: {refine: [steps, strength]}
"""
SAMPLING = """\
preset: official
seed: 1
num_inference_steps: ${model.presets.official.defaults.num_inference_steps.value}
height: 176
width: 176
num_frames: 5
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    conf = tmp_path / "conf"
    files = {"model/mine.yaml": MODEL, "sampling/mine/smoke.yaml": SAMPLING}
    files["prompts/mine.yaml"] = "# one\nname: mine\nentries: [{text: a boat}]\n"
    for name, text in files.items():
        (conf / name).parent.mkdir(parents=True, exist_ok=True)
        (conf / name).write_text(text)
    return conf


def test_they_are_listed_with_their_sources(folder: Path, command: Cli) -> None:
    (folder / "model" / "other.yaml").write_text("defaults: [mine, _self_]\nname: other\nfamily: others\n")
    out = command("--config-dir", str(folder), "op=presets").out
    assert "wan21_t2v  official  version 3  model=mine" in out
    assert "others  official  version 3  model=other" in out
    assert "num_inference_steps=2  generate.py, --sample_steps" in out and "stage refine: steps, strength" in out


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("sampling.preset=offical", "sampling.preset=offical: must be one of official. Did you mean 'official'?"),
        ("+sampling.stage_overrides.refin.steps=3", "sampling.stage_overrides.refin: sampling.preset=official has no"),
        ("+sampling.stage_overrides.refine.step=3", "stage_overrides.refine.step: there is no such name. Did you mean"),
        ("+sampling.stage_overrides.refine=3", "must be names with values, of steps, strength"),
        ("model.presets.official.defaults.guidance_scale.source=' '", "must say where the default stands"),
    ],
)
def test_what_is_unknown_is_an_error(word: str, says: str, folder: Path, command: Cli) -> None:
    refused = command("--config-dir", str(folder), "op=generate", "engine=mock", "model=mine", word)
    assert refused.code == 2 and says in refused.text, refused.text


def test_a_default_is_a_key_of_sampling(folder: Path, command: Cli) -> None:
    file = folder / "model" / "mine.yaml"
    file.write_text(file.read_text().replace("guidance_scale:", "guidence_scale:"))
    refused = command("--config-dir", str(folder), "op=generate", "engine=mock", "model=mine")
    assert refused.code == 2 and "sampling has no such key. Did you mean 'guidance_scale'?" in refused.text


def test_overrides_without_a_preset_are_an_error(command: Cli) -> None:
    refused = command("op=generate", "engine=mock", "model=ltx2", "+sampling.stage_overrides.refine.steps=3")
    assert refused.code == 2 and "sampling.preset=null has no such stage" in refused.text, refused.text


def test_smoke_holds_the_call_to_the_preset(folder: Path, cli: Cli) -> None:
    given = ("--config-dir", str(folder), "op=smoke", "model=mine")
    passed = cli(*given)
    assert passed.code == 0 and "pass  second pipeline" in passed.out, passed.text
    assert "pass  defaults" in passed.out
    other = cli(*given, "model.presets.official.defaults.guidance_scale.value=6.0")
    assert other.code == 1 and "FAIL  defaults: guidance_scale is 5.0 and should be 6.0" in other.out, other.text


def test_its_version_is_part_of_the_recipe_and_nothing_is_where_there_is_none() -> None:
    plain = cases.case("wan21_t2v_1_3b")
    assert not {"preset", "stage_overrides"} & plain.recipe["sampling"].keys()

    def of(version: int, **more: object) -> Case:
        preset = Preset(version=version, defaults={"fps": Default(value=24, source="x")})
        model = dataclasses.replace(plain.model, presets={"official": preset})
        sampling = dataclasses.replace(plain.sampling, preset="official", **more)  # type: ignore[arg-type]
        return dataclasses.replace(plain, model=model, sampling=sampling)

    assert of(1).recipe["sampling"]["preset"] == "official@1"
    overridden = of(1, stage_overrides={"refine": {"steps": 1}})
    assert len({plain.fingerprint, of(1).fingerprint, of(2).fingerprint, overridden.fingerprint}) == 4
    assert dataclasses.replace(of(1), sampling=plain.sampling).fingerprint == plain.fingerprint
