# SPDX-License-Identifier: Apache-2.0
"""No choice of this package is without the tests that its contract asks for."""

from __future__ import annotations

import importlib

import pytest
import yaml

from fvhydra.config.schema import conf_dir
from fvhydra.metrics.catalogue import CLASSES
from fvhydra.testing.engines import EngineContract
from fvhydra.testing.launchers import LauncherContract
from fvhydra.testing.metrics import MetricContract
from fvhydra.testing.stores import StoreContract
from tests.conftest import ROOT
from tests.contracts import test_metrics

CONTRACTS = {"engine": EngineContract, "launcher": LauncherContract, "store": StoreContract}

ELSEWHERE = {
    "engine": {"fastvideo": "tests/engines/test_fastvideo.py"},
    "store": {"performance": "tests/contracts/test_stores.py"},  # the class of store=hub at another address
}
"""Choices that cannot run without what no test has, and the tests that they have instead."""


@pytest.mark.parametrize("group", CONTRACTS)
def test_every_choice_is_held_to_its_contract(group: str) -> None:
    module = importlib.import_module(f"tests.contracts.test_{group}s")
    classes = [item for item in vars(module).values() if isinstance(item, type) and item.__name__.startswith("Test")]
    held = {item.choice for item in classes if issubclass(item, CONTRACTS[group])}  # type: ignore[attr-defined]
    elsewhere = ELSEWHERE.get(group, {})
    assert held | set(elsewhere) == {path.stem for path in (conf_dir() / group).glob("*.yaml")}
    assert all((ROOT / path).is_file() for path in elsewhere.values())


def test_every_metric_is_held_to_its_contract() -> None:
    found = [
        item for item in vars(test_metrics).values() if isinstance(item, type) and issubclass(item, MetricContract)
    ]
    assert {item.metric for item in found if item.__name__.startswith("Test")} == set(CLASSES)
    files = (conf_dir() / "metrics").glob("*.yaml")
    chosen = [yaml.safe_load(path.read_text(encoding="utf-8")).get("use") or {} for path in files]
    named = {f"{family}.{name}" for use in chosen for family, metrics in use.items() for name in metrics}
    assert named == set(CLASSES)
