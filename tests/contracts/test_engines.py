# SPDX-License-Identifier: Apache-2.0
"""The engines of this package keep the contract; ``fastvideo`` needs a GPU and has its mapping tested instead."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fvhydra.config.engine import EngineConfig
from fvhydra.testing import cases
from fvhydra.testing.engines import EngineContract, Subject
from tests.engines.environments import environment


class TestMock(EngineContract):
    choice = "mock"

    def test_it_begins_with_exactly_the_given_frame(self, subject: Subject) -> None:
        if subject.case.image is not None:
            with Image.open(subject.case.image) as picture:
                expected = np.asarray(picture.resize((64, 64)))
            assert np.array_equal(cases.output(subject.media)[0], expected)


class TestDiffusers(EngineContract):
    choice = "diffusers"

    @pytest.fixture(scope="class")
    @classmethod
    def engine_cache(cls, cache_dir: Path) -> Path:
        return cache_dir

    def test_video_latents_are_as_large_as_the_compression_says(self, subject: Subject) -> None:
        if subject.model == "ltx2":
            assert cases.output(subject.media).shape == (1, 128, 2, 3, 3)  # 9 frames / 8, 96 pixels / 32


class TestMockInAProcessOfItsOwn(EngineContract):
    choice = "mock"
    models = ("hunyuan_i2v", "ltx2", "stable_audio_open")

    @pytest.fixture(scope="class")
    @classmethod
    def engine_config(cls) -> EngineConfig:
        return dataclasses.replace(cases.engine_config("mock"), isolate=True)


@pytest.mark.slow
class TestDiffusersInAProcessOfItsOwn(TestDiffusers):
    models = ("hunyuan_i2v", "ltx2")

    @pytest.fixture(scope="class")
    @classmethod
    def engine_config(cls) -> EngineConfig:
        return dataclasses.replace(cases.engine_config("diffusers"), isolate=True)


@pytest.mark.slow
class TestDiffusersOfAnotherVersion(TestDiffusers):
    models = ("stable_audio_open", "wan21_t2v_1_3b")

    @pytest.fixture(scope="class")
    @classmethod
    def engine_config(cls) -> EngineConfig:
        return dataclasses.replace(cases.engine_config("diffusers"), python=str(environment("diffusers-0.38")))
