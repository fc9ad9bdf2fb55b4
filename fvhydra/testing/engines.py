# SPDX-License-Identifier: Apache-2.0
"""What every engine must keep (``fvhydra.engines.base``), with every model that it serves."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from fvhydra.config.engine import EngineConfig
from fvhydra.core.case import Case
from fvhydra.core.errors import UsageError
from fvhydra.core.files import plain
from fvhydra.core.progress import Silent
from fvhydra.engines.base import Engine, GeneratedMedia, LoadRequest
from fvhydra.engines.choice import open_engine
from fvhydra.testing import cases
from fvhydra.testing.cases import Steps
from fvhydra.testing.choices import chosen
from fvhydra.testing.digests import digests, digests_elsewhere

_SEEN = 1e-3
"""Cosine distance from which two outputs are different ones."""


@dataclass
class Subject:
    """An engine that has loaded a model, a case of it, and its output."""

    model: str
    engine: Engine
    case: Case
    media: GeneratedMedia

    def generate(self, **changes: Any) -> GeneratedMedia:
        """The case once more, with other values."""
        return self.engine.generate(dataclasses.replace(self.case, **changes), Silent())


class EngineContract:
    """Subclass it in a test module and set :attr:`choice`; pytest does the rest.

    The fixture ``engine_config`` may be overridden, for an engine with other settings than its YAML file has, and
    ``engine_cache``, the folder that tiny weights are kept in.
    """

    choice: ClassVar[str]
    """The word after ``engine=``."""

    config_dir: ClassVar[Path | None] = None
    """Folder with ``engine/<choice>.yaml``; None for an engine of this package."""

    models: ClassVar[Sequence[str]] = cases.MODELS
    """The models that it serves, of those that come with fvhydra."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run every test with every model."""
        if "model" in metafunc.fixturenames:
            metafunc.parametrize("model", self.models, scope="class")

    @pytest.fixture(scope="class")
    @classmethod
    def engine_config(cls) -> EngineConfig:
        """The engine's configuration."""
        found: EngineConfig = chosen("engine", cls.choice, cls.config_dir).engine
        return found

    @pytest.fixture(scope="class")
    @classmethod
    def engine_cache(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Where tiny weights are kept."""
        return tmp_path_factory.mktemp("cache")

    @pytest.fixture(scope="class")
    @classmethod
    def first_frame(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """The picture that image-to-video models animate."""
        return cases.picture(tmp_path_factory.mktemp("image") / "first.png")

    @pytest.fixture(scope="class")
    @classmethod
    def subject(
        cls, model: str, engine_config: EngineConfig, engine_cache: Path, first_frame: Path
    ) -> Iterator[Subject]:
        """The engine with the model, and one output of it."""
        engine = _loaded(engine_config, cases.request(model, engine_cache))
        case = cases.case(model, first_frame, engine=engine_config.name)
        yield Subject(model, engine, case, engine.generate(case, Silent()))
        engine.close()

    def test_the_artifact_has_the_layout_that_the_contract_names(self, subject: Subject) -> None:
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

    def test_the_same_case_gives_the_same_bits(self, subject: Subject) -> None:
        assert np.array_equal(cases.output(subject.generate()), cases.output(subject.media))

    @pytest.mark.parametrize(
        "change", [{"seed": 8}, {"prompt": cases.PROMPT.replace("slow", "fast")}], ids=["seed", "word"]
    )
    def test_another_seed_or_one_other_word_shows(self, subject: Subject, change: dict[str, Any]) -> None:
        assert cases.distance(subject.generate(**change), subject.media) > _SEEN

    def test_the_sampling_shows_or_is_said_to_be_dropped(self, subject: Subject) -> None:
        fewer = subject.generate(sampling=dataclasses.replace(subject.case.sampling, num_inference_steps=2))
        assert cases.distance(fewer, subject.media) > _SEEN or fewer.dropped["num_inference_steps"] == 2

    def test_another_first_frame_shows(self, subject: Subject, tmp_path: Path) -> None:
        if subject.case.image is not None:
            other = subject.generate(image=cases.picture(tmp_path / "other.png", shift=90))
            assert cases.distance(other, subject.media) > _SEEN

    def test_a_missing_or_broken_first_frame_is_named(self, subject: Subject, tmp_path: Path) -> None:
        if subject.case.image is None:
            return
        with pytest.raises(UsageError):
            subject.generate(image=None)
        with pytest.raises(UsageError, match=r"gone\.png"):
            subject.generate(image=tmp_path / "gone.png")
        (tmp_path / "text.png").write_text("not a picture")
        with pytest.raises(UsageError, match=r"text\.png"):
            subject.generate(image=tmp_path / "text.png")

    def test_every_step_is_reported(self, subject: Subject) -> None:
        steps = Steps()
        subject.engine.generate(subject.case, steps)
        total = len(steps.seen) if "num_inference_steps" in subject.media.dropped else cases.STEPS
        assert steps.seen == [(done, total) for done in range(1, total + 1)]

    def test_a_cancelled_case_leaves_no_trace_in_the_next(self, subject: Subject) -> None:
        with pytest.raises(KeyboardInterrupt):
            subject.engine.generate(subject.case, Steps(stop_after=2))
        assert np.array_equal(cases.output(subject.generate()), cases.output(subject.media))

    def test_perturbed_weights_show_or_are_said_to_be_dropped(
        self, subject: Subject, engine_config: EngineConfig, engine_cache: Path
    ) -> None:
        tier = cases.tier(perturb_weights=0.1)
        engine = _loaded(engine_config, cases.request(subject.model, engine_cache, tier=tier))
        media = engine.generate(dataclasses.replace(subject.case, tier=tier), Silent())
        engine.close()
        assert cases.distance(media, subject.media) > _SEEN or media.dropped["perturb_weights"] == 0.1

    def test_facts_arguments_and_times_are_complete_and_json(self, subject: Subject) -> None:
        facts, media = subject.engine.facts(), subject.media
        assert {"engine", "versions", "device", "attention_backend", "weights_revision"} <= set(facts)
        assert facts["engine"] == subject.case.engine
        assert media.arguments["prompt"] == cases.PROMPT
        assert media.seconds["total_s"] > 0
        json.dumps(plain([facts, media.arguments, media.dropped, media.seconds]), allow_nan=False)

    def test_another_process_gives_the_same_bits_without_a_network(
        self, engine_config: EngineConfig, engine_cache: Path, first_frame: Path, tmp_path: Path
    ) -> None:
        jobs = [(cases.request(model, engine_cache), cases.case(model, first_frame)) for model in self.models]
        theirs = digests_elsewhere(engine_config, jobs, tmp_path)
        assert dict(zip(self.models, theirs, strict=True)) == dict(
            zip(self.models, digests(engine_config, jobs), strict=True)
        )


def _loaded(config: EngineConfig, request: LoadRequest) -> Engine:
    engine = open_engine(config)
    engine.load(request, Silent())
    return engine
