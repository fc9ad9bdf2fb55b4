# SPDX-License-Identifier: Apache-2.0
"""``judge.preference``: how often a judge preferred the clips to others, from answers that were recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import pydantic
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import doc, one_of
from fvhydra.config.problems import first_problem
from fvhydra.core.scores import ScoreRow
from fvhydra.metrics.base import Chunk, Metric, Reading, SampleVideos, Score, Skipped
from fvhydra.metrics.functional.judge import Answer, PairVerdict, Tally, Verdict, pair_verdict, tally, tally_by
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.spec import Input, Output, Spec

_VALUES: dict[Verdict, float] = {"candidate": 1.0, "tie": 0.5, "baseline": 0.0}


@dataclass
class Judgement:
    """One comparison of the clip (the candidate) with another (the baseline).

    Attributes:
        first: Which of them was shown first.
        answer: What the judge said: ``video_1`` is the one shown first.
    """

    first: Literal["candidate", "baseline"]
    answer: Answer


@dataclass
class PreferenceParams:
    """Which comparisons are accepted."""

    parity: Annotated[str, one_of("upstream", "peer")] = doc(
        "upstream: both clips must have been shown first equally often, since judges prefer a place; peer: any order",
        "upstream",
    )


class Preference(Metric):
    """See :mod:`fvhydra.metrics.functional.judge`. A clip's value is 1 for a win, 0 for a loss, 0.5 for a tie.

    The value over all clips is ``wins / (wins + losses)``, as FastVideo's ``judge.third_person_separation``, whose
    rubric and judge are not part of this: say beside the value who judged, and by what.
    """

    spec = Spec(
        id="judge.preference",
        version=1,
        title="How often a judge preferred the clip to another one, from recorded answers",
        kind="sample",
        direction="higher",
        unit="1",
        low=0.0,
        high=1.0,
        inputs=(Input("judgements", "data"), Input("action", "text", required=False)),
        outputs=(Output("verdict"), Output("position_consistent"), Output("action")),
        params=PreferenceParams,
        source="FastVideo's evaluation",
        rule="wins over wins and losses; ties do not count",
    )

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        try:
            judgements = pydantic.TypeAdapter(list[Judgement]).validate_python(sample.keys["judgements"])
        except pydantic.ValidationError as error:
            raise Skipped("shape", f"judgements are not a list of first and answer: {first_problem(error)}") from error
        if not judgements:
            raise Skipped("missing_input", "judgements is empty")
        places = Counter(judgement.first for judgement in judgements)
        if self.params.parity == "upstream" and places["candidate"] != places["baseline"]:
            shown = f"{places['candidate']} and {places['baseline']} times"
            raise Skipped("shape", f"the clips were shown first {shown}; both must be equally often")
        first = [judgement.first == "candidate" for judgement in judgements]
        return _Reading(pair_verdict([judgement.answer for judgement in judgements], first), sample.keys.get("action"))

    def corpus(self, rows: Sequence[ScoreRow]) -> Score:
        verdicts = [row.outputs["verdict"] for row in rows]
        total = tally(verdicts)
        if total.win_rate is None:
            raise Skipped("missing_input", f"nothing is decided: all {total.ties} pairs are ties")
        consistent = sum(row.outputs["position_consistent"] for row in rows)
        per_action = tally_by(verdicts, [str(row.outputs["action"] or "") for row in rows])
        outputs = {
            **_plain(total),
            "position_consistent": consistent / len(rows),
            "per_action": {action: _plain(each) for action, each in per_action.items()},
        }
        return Score(total.win_rate, outputs)


class _Reading:
    def __init__(self, found: PairVerdict, action: Any) -> None:
        self._found = found
        self._action = action

    def update(self, chunk: Chunk) -> None:
        pass

    def result(self) -> Score:
        return Score(_VALUES[self._found.verdict], {**vars(self._found), "action": self._action})


def _plain(found: Tally) -> dict[str, Any]:
    return vars(found) | {"interval": list(found.interval) if found.interval else None}
