# SPDX-License-Identifier: Apache-2.0
"""Counting a judge's answers about pairs of clips: who won, how often, and the interval of the win rate.

A judge compares a candidate's clip with a baseline's several times, shown in turn first and second, since judges prefer
a place. The arithmetic is that of FastVideo's ``judge.third_person_separation``.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from fvhydra.metrics.functional.parity import Parity

Answer = Literal["video_1", "video_2", "tie"]
Verdict = Literal["candidate", "baseline", "tie"]

_Z_95 = 1.959963984540054


@dataclass(frozen=True)
class PairVerdict:
    """The outcome for one pair. ``position_consistent`` is False where all answers named one place and not one clip."""

    verdict: Verdict
    position_consistent: bool


@dataclass(frozen=True)
class Tally:
    """Counts over many pairs.

    Attributes:
        wins: Pairs that the candidate won.
        losses: Pairs that the baseline won.
        ties: Pairs that nobody won.
        win_rate: ``wins / (wins + losses)``; 0 to 1, higher is better; None where nothing is decided.
        interval: Wilson's interval of the win rate at 95 %; None where nothing is decided.
    """

    wins: int
    losses: int
    ties: int
    win_rate: float | None
    interval: tuple[float, float] | None


def candidate_first(pair: str, comparisons: int, parity: Parity = "upstream") -> list[bool]:
    """Whether the candidate is shown first in each comparison of a pair: in turn, starting as the pair's hash says.

    Args:
        pair: What identifies the pair: ``candidate|baseline``, of hashes of their content. FastVideo's evaluation takes
            their paths.
        comparisons: How many, at least 1.
        parity: ``upstream`` refuses odd numbers, with which a judge that always names the first clip makes winners.
            ``peer`` takes them (3 is its default).

    Raises:
        ValueError: A number of comparisons that is not allowed.

    Example:
        >>> candidate_first("candidate|baseline", comparisons=4)
        [False, True, False, True]
    """
    if comparisons < 1 or (comparisons % 2 and parity == "upstream"):
        raise ValueError(f"a pair is compared an even number of times, not {comparisons}: each clip first as often")
    start = int(hashlib.sha1(pair.encode(), usedforsecurity=False).hexdigest(), 16)
    return [(start + index) % 2 == 0 for index in range(comparisons)]


def pair_verdict(answers: Sequence[Answer], first: Sequence[bool]) -> PairVerdict:
    """Who won most of the comparisons of one pair; a tie where both won equally many.

    Args:
        answers: One a comparison; at least one.
        first: Whether the candidate was shown first in each.

    Raises:
        ValueError: No answers, or not as many as comparisons.

    Example:
        >>> pair_verdict(["video_1", "video_2"], first=[True, False])
        PairVerdict(verdict='candidate', position_consistent=True)
    """
    if not answers or len(answers) != len(first):
        raise ValueError(f"{len(first)} comparisons need as many answers, not {len(answers)}")
    votes = [_winner(answer, shown_first) for answer, shown_first in zip(answers, first, strict=True)]
    counts = Counter(votes)
    ahead = counts["candidate"] - counts["baseline"]
    verdict: Verdict = "candidate" if ahead > 0 else "baseline" if ahead < 0 else "tie"
    one_place = len(set(answers)) == 1 and answers[0] != "tie" and len(set(first)) > 1
    return PairVerdict(verdict, position_consistent=not one_place)


def tally(verdicts: Sequence[Verdict]) -> Tally:
    """Count the verdicts of many pairs.

    Example:
        >>> found = tally(["candidate", "candidate", "baseline", "tie"])
        >>> found.wins, found.losses, found.ties, round(found.win_rate, 3)
        (2, 1, 1, 0.667)
    """
    counts = Counter(verdicts)
    wins, losses = counts["candidate"], counts["baseline"]
    decided = wins + losses
    rate = wins / decided if decided else None
    return Tally(wins, losses, counts["tie"], rate, wilson_interval(wins, decided) if decided else None)


def tally_by(verdicts: Sequence[Verdict], labels: Sequence[str]) -> Mapping[str, Tally]:
    """The same for each label, such as the action that a clip shows; sorted.

    Raises:
        ValueError: Not as many labels as verdicts.

    Example:
        >>> {label: each.win_rate for label, each in tally_by(["candidate", "baseline"], ["jump", "walk"]).items()}
        {'jump': 1.0, 'walk': 0.0}
    """
    pairs = list(zip(verdicts, labels, strict=True))
    return {label: tally([verdict for verdict, other in pairs if other == label]) for label in sorted(set(labels))}


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's score interval (1927) of a share, at 95 %.

    Raises:
        ValueError: No trials, or not 0 to ``trials`` successes.

    Example:
        >>> [round(edge, 3) for edge in wilson_interval(8, 10)]
        [0.49, 0.943]
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"a share is of one trial or more, not {successes} of {trials}")
    share, z2 = successes / trials, _Z_95**2
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = _Z_95 / (1 + z2 / trials) * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    return max(centre - half, 0.0), min(centre + half, 1.0)


def _winner(answer: Answer, candidate_was_first: bool) -> Verdict:
    if answer == "tie":
        return "tie"
    return "candidate" if (answer == "video_1") == candidate_was_first else "baseline"
