# SPDX-License-Identifier: Apache-2.0
"""The examples in docstrings are true, and every function of a metric's arithmetic has one."""

from __future__ import annotations

import doctest
import importlib
import inspect
from pathlib import Path
from types import ModuleType

import pytest

import fvhydra
from tests.conftest import ROOT

PACKAGE = Path(fvhydra.__file__).parent
MODULES = sorted(
    ".".join(("fvhydra", *path.relative_to(PACKAGE).with_suffix("").parts))
    for path in PACKAGE.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)
FUNCTIONAL = "fvhydra.metrics.functional"


def test_the_examples_are_found() -> None:
    assert sum(name.startswith(FUNCTIONAL) for name in MODULES) > 15


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_are_true(name: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert failed == 0 and tried > 0


def _functional() -> list[ModuleType]:
    paths = sorted((PACKAGE / "metrics" / "functional").rglob("*.py"))
    return [importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts)) for path in paths]


def test_every_function_of_a_metric_has_an_example() -> None:
    without = [
        f"{module.__name__}.{name}"
        for module in _functional()
        for name, found in inspect.getmembers(module, inspect.isfunction)
        if found.__module__ == module.__name__ and not name.startswith("_") and ">>> " not in (found.__doc__ or "")
    ]
    assert without == []
