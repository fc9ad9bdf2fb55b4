# SPDX-License-Identifier: Apache-2.0
"""What comparing two evaluations found out, as plain data: ``comparison.json``, and the lines of ``pairs.jsonl``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fvhydra.core import files, untrusted


@dataclass(frozen=True)
class Pair:
    """A sample that both evaluations scored under the same metric.

    Attributes:
        before: Its value in the first evaluation; None where it is infinite.
        after: The same in the second.
        clips: ``before`` and ``after`` to the sample's videos there (key to path, as in
            :class:`~fvhydra.core.scores.ScoreRow`), relative to this run folder or absolute.
        fps: Frames a second of those that are folders of frames.
    """

    metric: str
    sample: str
    before: float | None
    after: float | None
    clips: dict[str, dict[str, str]] = field(default_factory=dict)
    prompt: str = ""
    tags: list[str] = field(default_factory=list)
    fps: float | None = None

    @property
    def difference(self) -> float:
        """``after - before``, in the metric's unit; infinite where one of them is, 0 where both are."""
        if self.before is not None and self.after is not None:
            return self.after - self.before
        return 0.0 if self.before == self.after else math.inf if self.after is None else -math.inf

    def outcome(self, direction: str) -> str:
        """``better`` or ``worse`` by the metric's direction, ``equal``, or ``moved`` where it has no direction."""
        if self.difference == 0:
            return "equal"
        if direction == "none":
            return "moved"
        return "better" if (self.difference > 0) == (direction == "higher") else "worse"


@dataclass(frozen=True)
class MetricComparison:
    """A metric in two evaluations.

    Attributes:
        pairs: Samples with a value in both.
        unpaired: Samples with a value only in the first, only in the second.
        before: Mean of the pairs in the first evaluation, of those that are finite in both; for a set metric its value
            there. None where no pair is.
        after: The same in the second.
        difference: Mean of ``after - before`` where that is finite; None where it nowhere is, and where the metric was
            not compared.
        interval: 95 % bootstrap interval of the mean difference (10,000 resamples of the pairs, seeded).
        wins: Pairs that became better, by the metric's direction; None for a metric that only describes.
        losses: Pairs that became worse.
        ties: Pairs with equal values.
        p_value: Two-sided sign test over wins and losses: how likely so uneven a split is if neither side is better.
        message: Why it was not compared.
        infinite: Of the pairs, how many are infinite on a side or on both: they win, lose or tie, and are in no mean.
    """

    metric: str
    title: str
    direction: str
    unit: str
    pairs: int = 0
    unpaired: tuple[int, int] = (0, 0)
    before: float | None = None
    after: float | None = None
    difference: float | None = None
    interval: tuple[float, float] | None = None
    wins: int | None = None
    losses: int | None = None
    ties: int | None = None
    p_value: float | None = None
    message: str = ""
    infinite: int = 0

    @property
    def is_compared(self) -> bool:
        """Whether the metric has a value on both sides."""
        return self.difference is not None or self.pairs > 0


def write_pairs(path: Path, pairs: Iterable[Pair]) -> None:
    """Write a pair a line, atomically: by metric, the largest difference first."""
    ordered = sorted(pairs, key=lambda pair: (pair.metric, -abs(pair.difference), pair.sample))
    files.write_text(path, "".join(f"{files.canonical_json(pair)}\n" for pair in ordered))


def read_pairs(path: Path) -> Iterator[Pair]:
    """The inverse of :func:`write_pairs`, in its order.

    Raises:
        UsageError: A line is not a pair.
    """
    for number, line in untrusted.read_lines(path):
        where = f"{path} line {number}"
        yield untrusted.typed(Pair, untrusted.parse_json(line, where), f"{where} is not a pair of scores")
