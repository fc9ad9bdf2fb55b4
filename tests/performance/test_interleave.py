# SPDX-License-Identifier: Apache-2.0
"""Who runs when, and what happens when two do not fit."""

from __future__ import annotations

from typing import Any

import pytest

from fvhydra.core.errors import InfrastructureError
from fvhydra.core.progress import Silent
from fvhydra.engines.base import Engine, GeneratedMedia
from fvhydra.performance.interleave import Side, take_turns
from fvhydra.testing import cases


class Machine:
    """Has room for so many engines; writes down what happens."""

    def __init__(self, room: int) -> None:
        self.room, self.loaded, self.log = room, 0, ""

    def side(self, name: str) -> Side:
        def opened() -> Engine:
            self.loaded += 1
            if self.loaded > self.room:
                self.loaded -= 1
                raise InfrastructureError("The GPU ran out of memory.")
            self.log += f"[{name}"
            return Writing(self, name)

        return Side(name, cases.case("wan21_t2v_1_3b"), opened)


class Writing(Engine):
    def __init__(self, machine: Machine, name: str) -> None:
        self.machine, self.name = machine, name

    def load(self, *_: Any) -> None: ...

    def generate(self, *_: Any) -> GeneratedMedia:
        self.machine.log += self.name
        return GeneratedMedia(seconds={"total_s": 1.0})

    def facts(self) -> dict[str, Any]:
        return {"engine": self.name}

    def close(self) -> None:
        self.machine.loaded -= 1
        self.machine.log += "]"


def test_both_stay_loaded_where_there_is_room() -> None:
    machine = Machine(2)
    a, b = machine.side("a"), machine.side("b")
    assert take_turns((a, b), warmup=2, pairs=4, progress=Silent())
    assert machine.log == "[aaa[bbb" + "abbaabba" + "]]" and machine.loaded == 0
    assert [run.kind for run in a.runs] == ["first", "warmup", *["measured"] * 4]
    assert a.facts == {"engine": "a"} and "python" in b.environment


@pytest.mark.slow
def test_they_are_swapped_where_there_is_not() -> None:
    machine = Machine(1)
    a, b = machine.side("a"), machine.side("b")
    assert not take_turns((a, b), warmup=1, pairs=3, progress=Silent())
    assert machine.log == "[aa" + "a][bb" + "bb][aa" + "aa][bb" + "b]", (
        "each load is warmed up, and lasts for two turns"
    )
    for side in (a, b):
        assert [run.kind for run in side.runs].count("measured") == 3
    assert machine.loaded == 0


def test_a_side_that_does_not_run_alone_is_an_error() -> None:
    machine = Machine(0)
    with pytest.raises(InfrastructureError, match="ran out"):
        take_turns((machine.side("a"), machine.side("b")), 1, 2, Silent())
    assert machine.loaded == 0
