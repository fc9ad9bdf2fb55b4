# SPDX-License-Identifier: Apache-2.0
"""No choice of this package is without the tests that its contract asks for."""

from __future__ import annotations

import importlib

import pytest

from fvhydra.config.schema import conf_dir
from fvhydra.testing.engines import EngineContract
from fvhydra.testing.launchers import LauncherContract
from fvhydra.testing.stores import StoreContract
from tests.conftest import ROOT

CONTRACTS = {"engine": EngineContract, "launcher": LauncherContract, "store": StoreContract}

ELSEWHERE = {"engine": {"fastvideo": "tests/engines/test_fastvideo.py"}}
"""Choices that cannot run without what no test has, and the tests that they have instead."""


@pytest.mark.parametrize("group", CONTRACTS)
def test_every_choice_is_held_to_its_contract(group: str) -> None:
    module = importlib.import_module(f"tests.contracts.test_{group}s")
    classes = [item for item in vars(module).values() if isinstance(item, type) and item.__name__.startswith("Test")]
    held = {item.choice for item in classes if issubclass(item, CONTRACTS[group])}  # type: ignore[attr-defined]
    elsewhere = ELSEWHERE.get(group, {})
    assert held | set(elsewhere) == {path.stem for path in (conf_dir() / group).glob("*.yaml")}
    assert all((ROOT / path).is_file() for path in elsewhere.values())
