# SPDX-License-Identifier: Apache-2.0
"""Two sides that take turns on one machine: A B B A, so that what drifts is in both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from fvhydra.core.case import Case
from fvhydra.core.errors import InfrastructureError
from fvhydra.core.progress import Progress
from fvhydra.engines.base import Engine
from fvhydra.performance.measure import FIRST, WARMUP, Run, marked, measure_run
from fvhydra.performance.samples import MEASURED


@dataclass
class Side:
    """One of the two.

    Attributes:
        name: What people call it.
        case: What it generates.
        opened: Makes its engine and loads the model.
        runs: Its runs so far.
        environment: Of its process.
        facts: Of its engine.
        engine: While it is loaded.
    """

    name: str
    case: Case
    opened: Callable[[], Engine]
    runs: list[Run] = field(default_factory=list)
    engine: Engine | None = None
    environment: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def load(self, warmup: int, progress: Progress) -> None:
        """Load it if it is not, and run what does not count."""
        if self.engine is None:
            self.engine = self.opened()
            for kind in [FIRST, *[WARMUP] * (warmup - 1)]:
                self.run(kind, progress)
            on_gpu = self.case.gpu.count > 0 and not self.engine.capabilities.procedural
            self.environment, self.facts = self.engine.environment(gpu=on_gpu), self.engine.facts()

    def run(self, kind: str, progress: Progress) -> None:
        """Generate once."""
        assert self.engine is not None
        self.runs.append(measure_run(self.engine, self.case, len(self.runs) + 1, kind, progress, self.name))

    def close(self) -> None:
        """Give back its memory."""
        engine, self.engine = self.engine, None
        if engine is not None:
            engine.close()


def turns(pairs: int) -> Iterator[int]:
    """Whose turn it is, 0 or 1: 0 1 1 0 0 1 1 0 ..., twice ``pairs``.

    Example:
        >>> list(turns(3))
        [0, 1, 1, 0, 0, 1]
    """
    for pair in range(pairs):
        yield from (0, 1) if pair % 2 == 0 else (1, 0)


def take_turns(sides: tuple[Side, Side], warmup: int, pairs: int, progress: Progress) -> bool:
    """Run both sides, in turn, ``pairs`` times each; their ``runs`` have the outcome.

    Args:
        warmup: Runs of each side, after each load, that do not count; at least one.

    Returns:
        Whether both stayed loaded. Otherwise one was unloaded whenever the other's turn came.

    Raises:
        InfrastructureError: A side does not run even alone.
    """
    try:
        together = _both_loaded(sides, warmup, progress)
        for turn in turns(pairs):
            side, other = sides[turn], sides[1 - turn]
            if not together:
                other.close()
            side.load(warmup, progress)
            side.run(MEASURED, progress)
    finally:
        for side in sides:
            side.close()
    for side in sides:
        side.runs = marked(side.runs)
    return together


def _both_loaded(sides: tuple[Side, Side], warmup: int, progress: Progress) -> bool:
    first, second = sides
    first.load(warmup, progress)
    try:
        second.load(warmup, progress)
    except InfrastructureError as error:
        progress.stage("swap", msg=f"{second.name} does not run beside {first.name}: {error.message}")
        second.close()
        second.runs.clear()
        return False
    return True
