# SPDX-License-Identifier: Apache-2.0
"""What metrics found, compared."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from fvhydra.core.scores import ScoreRow
from fvhydra.metrics.base import Arrays, Metric, Score, SetMetric


def digest(values: Any) -> bytes:
    """The bytes of an array."""
    return np.asarray(values).tobytes()


def same(found: Score, expected: Score, tolerance: float) -> None:
    """Equal to the bit, or as near as is allowed."""

    def near(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: near(item) for name, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [near(item) for item in value]
        return pytest.approx(value, rel=tolerance, abs=tolerance) if isinstance(value, float) and tolerance else value

    assert (found.value, found.outputs) == (near(expected.value), near(expected.outputs))
    assert (found.frames, found.undefined) == (expected.frames, expected.undefined)
    for ours, theirs in ((found.series, expected.series), (found.contribution, expected.contribution)):
        assert ours.keys() == theirs.keys()
        for name, values in theirs.items():
            np.testing.assert_allclose(ours[name], values, rtol=tolerance, atol=tolerance)


def rows_of(metric: Metric, scores: Sequence[Score]) -> list[ScoreRow]:
    """Scores as the rows of an evaluation."""
    spec = metric.spec
    return [
        ScoreRow(str(number), spec.id, spec.version, "", "", "ok", item.value, outputs=item.outputs, frames=item.frames)
        for number, item in enumerate(scores)
    ]


def state_of(metric: SetMetric, scores: Sequence[Score]) -> Arrays:
    """The state of a set metric after these samples."""
    state = metric.empty()
    for item in scores:
        state = metric.update(state, item.contribution)
    return state


def through_a_file(state: Arrays) -> Arrays:
    """A state as it is read again."""
    file = io.BytesIO()
    np.savez(file, **state)  # type: ignore[arg-type]  # the stub takes the names for options
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def told(rows: Sequence[ScoreRow]) -> list[Any]:
    """What rows say, without how long they took."""
    return [(row.sample, row.status, row.value, row.code, row.outputs, row.content) for row in rows]
