# SPDX-License-Identifier: Apache-2.0
"""Where tests are: ``tests/`` mirrors ``fvhydra/``, and every op has a module of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from fvhydra.config.schema import conf_dir
from tests.conftest import ROOT

OF_THEIR_OWN = {
    "contracts": "our choices, held to the contracts",
    "docs": "the documents",
    "e2e": "ways through several parts, on the command line",
    "fuzz": "what strangers may have written",
    "packaging": "what is installed, and how it starts",
    "servers": "what tests talk to instead of the world",
}
"""Folders of tests that are about no folder of ``fvhydra/``."""


@pytest.mark.parametrize("op", sorted(path.stem for path in (conf_dir() / "op").glob("*.yaml")))
def test_every_op_has_its_tests(op: str) -> None:
    path = ROOT / "tests" / "ops" / f"test_{op}.py"
    assert path.is_file() and f"op={op}" in path.read_text(encoding="utf-8")


def test_folders_of_tests_are_those_of_the_package() -> None:
    tests = ROOT / "tests"
    folders = {path.parent.relative_to(tests) for path in tests.rglob("test_*.py")} - {Path()}
    strange = [
        folder.as_posix()
        for folder in sorted(folders)
        if folder.parts[0] not in OF_THEIR_OWN and not (ROOT / "fvhydra" / folder).is_dir()
    ]
    assert strange == []
