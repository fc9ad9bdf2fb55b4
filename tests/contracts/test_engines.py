# SPDX-License-Identifier: Apache-2.0
"""What every engine must keep, with every model. ``fastvideo`` needs a GPU and has its mapping tested instead."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fvhydra.core.case import Case
from fvhydra.core.errors import UsageError
from fvhydra.core.files import plain, sha256_bytes
from fvhydra.core.loading import load_class
from fvhydra.core.progress import Silent
from fvhydra.engines.base import Engine, GeneratedMedia, LoadRequest
from tests.conftest import ROOT, clean_environment
from tests.engines import cases
from tests.engines.cases import MODELS, Steps

ENGINES = ("mock", "diffusers")


@dataclass
class Subject:
    """An engine with a model, and one output of it."""

    name: str
    model: str
    engine: Engine
    case: Case
    media: GeneratedMedia

    def generate(self, **changes: Any) -> GeneratedMedia:
        return self.engine.generate(dataclasses.replace(self.case, **changes), Silent())


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cases.picture(tmp_path_factory.mktemp("image") / "first.png")


@pytest.fixture(scope="module", params=[(name, model) for name in ENGINES for model in MODELS], ids="-".join)
def subject(request: pytest.FixtureRequest, cache_dir: Path, image: Path) -> Iterator[Subject]:
    name, model = request.param
    engine = loaded_engine(name, cases.request(model, cache_dir))
    case = cases.case(model, image, engine=name)
    yield Subject(name, model, engine, case, engine.generate(case, Silent()))
    engine.close()


def loaded_engine(name: str, request: LoadRequest) -> Engine:
    config = cases.engine_config(name)
    engine: Engine = load_class(config._target_, "engine", Engine)(config)
    engine.load(request, Silent())
    return engine


def test_the_artifact_has_the_layout_that_the_contract_names(subject: Subject) -> None:
    sampling, model, media = subject.case.sampling, subject.case.model, subject.media
    if model.artifact == "pixel":
        assert media.latent is None
        assert media.frames is not None
        assert media.frames.dtype == np.uint8
        assert media.frames.shape == (sampling.num_frames, sampling.height, sampling.width, 3)
        assert media.fps == sampling.fps
    else:
        assert media.frames is None
        assert media.latent is not None
        assert media.latent.dtype == np.float32
        assert model.latent is not None
        assert media.latent.ndim == len(model.latent.shape)
        assert all(want in (None, have) for want, have in zip(model.latent.shape, media.latent.shape, strict=True))
        assert abs(media.latent.mean()) <= model.latent.mean_abs_max
        assert model.latent.std_min <= media.latent.std() <= model.latent.std_max
        assert media.latent_dtype


def test_video_latents_are_as_large_as_the_compression_says(subject: Subject) -> None:
    if subject.model == "ltx2":
        assert cases.output(subject.media).shape == (1, 128, 2, 3, 3)  # 9 frames / 8, 96 pixels / 32


def test_the_same_case_gives_the_same_bits(subject: Subject) -> None:
    assert np.array_equal(cases.output(subject.generate()), cases.output(subject.media))


@pytest.mark.parametrize(
    "change", [{"seed": 8}, {"prompt": cases.PROMPT.replace("slow", "fast")}], ids=["seed", "word"]
)
def test_another_seed_or_one_other_word_shows(subject: Subject, change: dict[str, Any]) -> None:
    assert cases.distance(subject.generate(**change), subject.media) > 1e-3


def test_the_sampling_shows(subject: Subject) -> None:
    fewer = dataclasses.replace(subject.case.sampling, num_inference_steps=2)
    assert cases.distance(subject.generate(sampling=fewer), subject.media) > 1e-3


def test_another_first_frame_shows(subject: Subject, tmp_path: Path) -> None:
    if subject.case.image is not None:
        other = subject.generate(image=cases.picture(tmp_path / "other.png", shift=90))
        assert cases.distance(other, subject.media) > 1e-3


def test_a_missing_or_broken_first_frame_is_named(subject: Subject, tmp_path: Path) -> None:
    if subject.case.image is None:
        return
    with pytest.raises(UsageError, match="animates a first frame"):
        subject.generate(image=None)
    with pytest.raises(UsageError, match=r"no image .*gone\.png"):
        subject.generate(image=tmp_path / "gone.png")
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(UsageError, match=r"text\.png is not a readable image"):
        subject.generate(image=tmp_path / "text.png")


def test_every_step_is_reported(subject: Subject) -> None:
    steps = Steps()
    subject.engine.generate(subject.case, steps)
    assert steps.seen == [(1, 3), (2, 3), (3, 3)]


def test_a_cancelled_case_leaves_no_trace_in_the_next(subject: Subject) -> None:
    with pytest.raises(KeyboardInterrupt):
        subject.engine.generate(subject.case, Steps(stop_after=2))
    assert np.array_equal(cases.output(subject.generate()), cases.output(subject.media))


def test_perturbed_weights_show(subject: Subject, cache_dir: Path) -> None:
    tier = cases.tier(perturb_weights=0.1)
    engine = loaded_engine(subject.name, cases.request(subject.model, cache_dir, tier=tier))
    media = engine.generate(dataclasses.replace(subject.case, tier=tier), Silent())
    assert cases.distance(media, subject.media) > 1e-3


def test_facts_arguments_and_times_are_complete_and_json(subject: Subject) -> None:
    facts = subject.engine.facts()
    assert {"engine", "versions", "device", "attention_backend", "weights_revision"} <= set(facts)
    assert facts["engine"] == subject.name
    assert subject.media.arguments["prompt"] == cases.PROMPT
    assert subject.media.seconds["total_s"] > 0
    json.dumps(plain([facts, subject.media.arguments, subject.media.dropped, subject.media.seconds]), allow_nan=False)


def test_the_mock_begins_with_exactly_the_given_frame(subject: Subject) -> None:
    if subject.name == "mock" and subject.case.image is not None:
        with Image.open(subject.case.image) as picture:
            expected = np.asarray(picture.resize((64, 64)))
        assert np.array_equal(cases.output(subject.media)[0], expected)


@pytest.mark.parametrize("name", ENGINES)
def test_another_process_gives_the_same_bits_without_a_network(
    name: str, cache_dir: Path, image: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.engines.digests", name, str(cache_dir), str(image)],
        cwd=ROOT,
        env=clean_environment(tmp_path, cache_dir),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout)
    for model in MODELS:
        media = loaded_engine(name, cases.request(model, cache_dir)).generate(cases.case(model, image), Silent())
        assert sha256_bytes(cases.output(media).tobytes()) == theirs[model], model
