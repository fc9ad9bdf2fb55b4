# SPDX-License-Identifier: Apache-2.0
"""Where two generations first differ: planted faults are found where they are, and nothing where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fvhydra.core.case import Case
from fvhydra.core.progress import Silent
from fvhydra.engines.base import Trace, TraceRequest
from fvhydra.engines.diffusers import DiffusersEngine
from fvhydra.parity.divergence import first_divergence
from fvhydra.testing import cases
from tests.parity.faults import AUDIO, FAULTS, LTX, WAN, Fault, planted

ALL = TraceRequest(modules=r"^transformer\.", weights=True)
ROUNDING = 1e-5


def loaded(family: str, cache_dir: Path) -> DiffusersEngine:
    engine = DiffusersEngine(cases.engine_config("diffusers"))
    engine.load(cases.request(family, cache_dir), Silent())
    return engine


def case_of(family: str) -> Case:
    return cases.case(family)


class _Traces(dict[str, Trace]):
    """Of each family, made when it is first asked for."""

    def __init__(self, cache_dir: Path) -> None:
        super().__init__()
        self._cache_dir = cache_dir

    def __missing__(self, family: str) -> Trace:
        self[family] = loaded(family, self._cache_dir).trace(case_of(family), ALL, Silent())
        return self[family]


@pytest.fixture(scope="module")
def official(cache_dir: Path) -> dict[str, Trace]:
    return _Traces(cache_dir)


QUICK = ("a weight scaled by 1.001", "guidance on the wrong half", "channel order", "a cast to half")
"""Of Wan, tried by the fast tests too; the others are of the same kinds."""


def _each(fault: Fault) -> Any:
    quick = fault.family == WAN and fault.name in QUICK
    return pytest.param(fault, id=str(fault), marks=() if quick else pytest.mark.slow)


@pytest.mark.parametrize("fault", [_each(fault) for fault in FAULTS])
def test_a_fault_is_found_where_it_is(fault: Fault, official: dict[str, Trace], cache_dir: Path) -> None:
    engine = planted(loaded(fault.family, cache_dir), fault)
    trace = engine.trace(fault.change(case_of(fault.family)), ALL, Silent())
    found = first_divergence(official[fault.family].rows, trace.rows, ROUNDING)
    assert found.first is not None
    assert (found.first.stage.name, found.first.place) == (fault.stage.name, found.first.place)
    assert found.first.place.startswith(fault.place)


@pytest.mark.parametrize("family", [WAN, *(pytest.param(family, marks=pytest.mark.slow) for family in (LTX, AUDIO))])
def test_equal_runs_do_not_diverge(family: str, official: dict[str, Trace], cache_dir: Path) -> None:
    again = loaded(family, cache_dir).trace(case_of(family), ALL, Silent())
    found = first_divergence(official[family].rows, again.rows, 0.0)
    assert (found.first, found.further, found.set_aside, found.worst) == (None, [], {}, None)
    assert found.equal == found.compared == len(official[family].rows)
