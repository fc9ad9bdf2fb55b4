# SPDX-License-Identifier: Apache-2.0
"""What is installed into the images of containers."""

from __future__ import annotations

from importlib import metadata

import numpy
import pytest
import torch

from fvhydra.config.launcher import ModalImage, ModalLauncherConfig
from fvhydra.launch.modal.resources import packages

REQUIRED = [
    "numpy>=2.0",
    "pydantic>=2.11",
    "torch>=2.6; extra == 'diffusers'",
    'absent-library<3,>=2; extra == "audio"',
    "modal>=1.6; extra == 'modal'",
    "torch>=2.6; extra == 'all'",
    "pytest>=8.3; extra == 'dev'",
]


@pytest.fixture(autouse=True)
def _declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "requires", lambda name: REQUIRED)


def test_a_container_can_do_all_that_engines_and_metrics_need_as_this_machine_has_it() -> None:
    found = packages(_settings(tag=None))
    assert f"numpy=={numpy.__version__}" in found
    assert f"torch=={torch.__version__.partition('+')[0]}" in found
    assert "absent-library<3,>=2" in found
    assert not [line for line in found if line.startswith(("modal", "pytest"))] and len(found) == 4


def test_beside_an_engine_of_an_image_stands_only_what_it_cannot_have() -> None:
    found = packages(_settings(tag="py3.12"))
    assert "pydantic>=2.11" in found and "hydra-core" in found
    assert not [line for line in found if line.startswith(("torch", "numpy", "absent"))]


def _settings(tag: str | None) -> ModalLauncherConfig:
    return ModalLauncherConfig(_target_="", name="modal", image=ModalImage(registry="engine", tag=tag))
