"""What comparing two evaluations found out, as plain data: ``comparison.json``, and the lines of ``pairs.jsonl``."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Pair:
    """A sample that both evaluations scored under the same metric.

    Attributes:
        before: Its value in the first evaluation.
        after: Its value in the second.
        clips: ``before`` and ``after`` to the sample's videos there (key to path, as in
            :class:`~fvhydra.core.scores.ScoreRow`), relative to this run folder or absolute.
    """

    metric: str
    sample: str
    before: float
    after: float
    clips: dict[str, dict[str, str]] = field(default_factory=dict)
    prompt: str = ""
    tags: list[str] = field(default_factory=list)

    @property
    def difference(self) -> float:
        """``after - before``, in the metric's unit."""
        return self.after - self.before


@dataclass(frozen=True)
class MetricComparison:
    """A metric in two evaluations.

    Attributes:
        pairs: Samples with a value in both.
        unpaired: Samples with a value only in the first, only in the second.
        before: Mean of the pairs in the first evaluation; for a set metric its value there.
        after: The same in the second.
        difference: ``after - before``; None where the metric was not compared.
        interval: 95 % bootstrap interval of the mean difference (10,000 resamples of the pairs, seeded).
        wins: Pairs that became better, by the metric's direction; None for a metric that only describes.
        losses: Pairs that became worse.
        ties: Pairs with equal values.
        p_value: Two-sided sign test over wins and losses: how likely so uneven a split is if neither side is better.
        message: Why it was not compared.
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
