# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.evaluation.clips import write_clip

Make = Callable[..., Path]


@pytest.fixture
def make_clip(tmp_path: Path) -> Make:
    """Write clips into the test's folder."""
    return functools.partial(write_clip, tmp_path)
