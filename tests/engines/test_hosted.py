# SPDX-License-Identifier: Apache-2.0
"""A diffusers of another version, in an environment of its own, makes what ours makes up to rounding."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import numpy as np
import pytest

from fvhydra.core.case import Case
from fvhydra.core.errors import UsageError
from fvhydra.core.progress import Silent
from fvhydra.engines.base import GeneratedMedia
from fvhydra.engines.choice import open_engine
from fvhydra.engines.hosted import HostedEngine
from fvhydra.testing import cases
from tests.conftest import Cli
from tests.engines.environments import ENVIRONMENTS, environment

ROUNDING = 2e-5
"""Largest difference of a latent, whose values are near 1. Measured: 6.2e-6 for Wan 2.1, 8.4e-6 for Wan 2.2."""


def latent_case(model: str) -> Case:
    spec = cases.model("ltx2").latent
    return cases.case(model, model=cases.model(model, artifact="latent", latent=spec))


def here(case: Case, cache_dir: Path) -> GeneratedMedia:
    engine = open_engine(cases.engine_config("diffusers"))
    engine.load(cases.request(case.model.name, cache_dir), Silent())
    return engine.generate(case, Silent())


def there(name: str, log: Path) -> HostedEngine:
    return HostedEngine(dataclasses.replace(cases.engine_config("diffusers"), python=str(environment(name))), log)


@pytest.mark.parametrize(
    ("name", "versions"),
    [
        ("diffusers-0.38", {"diffusers": "0.38.0", "transformers": "5.5.0"}),
        pytest.param("transformers-4", {"transformers": "4.57.6", "tokenizers": "0.22.2"}, marks=pytest.mark.slow),
    ],
)
def test_another_version_makes_the_same_up_to_rounding(
    name: str, versions: dict[str, str], cache_dir: Path, tmp_path: Path
) -> None:
    engine = there(name, tmp_path / "log")
    for model in ("wan21_t2v_1_3b", "wan22_ti2v_5b"):
        case = latent_case(model)
        engine.load(cases.request(model, cache_dir), Silent())
        theirs, ours = engine.generate(case, Silent()), here(case, cache_dir)
        assert theirs.latent is not None and ours.latent is not None
        assert theirs.latent.shape == ours.latent.shape
        assert np.abs(theirs.latent - ours.latent).max() < ROUNDING, model
        assert (theirs.arguments, theirs.dropped) == (ours.arguments, ours.dropped)
    facts, facts_of_place = engine.facts(), engine.environment()
    assert versions.items() <= facts["versions"].items()
    assert {key: facts_of_place[key] for key in versions if key in facts_of_place}.items() <= versions.items()
    assert facts_of_place["diffusers"] == "0.38.0"
    engine.close()


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_nothing_of_ours_is_in_those_environments(name: str) -> None:
    ours = ("fvhydra", "pydantic", "hydra", "omegaconf")
    query = f"import importlib.util as u; print([name for name in {ours} if u.find_spec(name)])"
    done = subprocess.run([environment(name), "-c", query], capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_what_that_version_does_not_have_is_a_usage_error(cache_dir: Path, tmp_path: Path) -> None:
    engine = there("transformers-4", tmp_path / "log")
    model = cases.model("wan21_t2v_1_3b", pipeline="LTX2InContextPipeline")
    with pytest.raises(UsageError, match=r"model\.pipeline=LTX2InContextPipeline is not a class of diffusers 0\.38\.0"):
        engine.load(cases.request("wan21_t2v_1_3b", cache_dir, model=model), Silent())
    engine.close()


@pytest.mark.slow
def test_references_of_one_version_hold_another(cli: Cli) -> None:
    words = ("model=wan22_ti2v_5b", "prompt_index=0")
    assert cli("op=seed_ssim", *words, "op.confirm=upload").code == 0
    checked = cli("op=check_ssim", *words, f"engine.python={environment('diffusers-0.38')}")
    assert checked.code == 0, checked.text
    assert "environment differs: diffusers: 0.42" in checked.text and "there, 0.38.0 here" in checked.text
    assert "check_ssim wan22_ti2v_5b: pass" in checked.text
    isolated = cli("op=check_ssim", *words, "engine.isolate=true")
    assert isolated.code == 0, isolated.text
    assert isolated.text.count("environment differs") == isolated.text.count("environment differs: engine.python") == 1
