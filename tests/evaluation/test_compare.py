# SPDX-License-Identifier: Apache-2.0
"""Comparing two evaluations: pairs, never averages of other samples, and never two versions of a measure."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fvhydra.core import files
from fvhydra.core.comparison import MetricComparison, Pair, read_pairs, write_pairs
from fvhydra.core.errors import UsageError
from fvhydra.core.scores import MetricSummary, ScoreRow, write_rows
from fvhydra.core.verdict import Verdict
from fvhydra.evaluation import gate
from fvhydra.evaluation.compare import compare_evaluations, read_evaluation, sign_test

SPREAD = np.random.default_rng(4).normal(0.8, 0.1, 40)  # between samples: far more than what changes


def evaluation(folder: Path, metrics: dict[str, dict[str, float]], **facts: Any) -> Path:
    """A folder as op=eval leaves it: per metric, sample to value; ``facts`` go into every summary."""
    facts = {"version": 1, "kind": "sample", "direction": "higher", "params": {"window": 11}} | facts
    shared = files.sha256_bytes(files.canonical_json(facts).encode())[:16]
    rows = [
        ScoreRow(sample, metric, facts["version"], shared, "c", "ok", value, clips={"video": f"artifacts/{sample}"})
        for metric, values in metrics.items()
        for sample, value in values.items()
    ]
    rows.append(ScoreRow("skipped.mp4", next(iter(metrics)), 1, shared, "c", "skipped", code="too_short"))
    summaries = [
        MetricSummary(metric, title=metric, unit="1", value=float(np.mean(list(values.values()))), **facts)
        for metric, values in metrics.items()
    ]
    write_rows(folder / "scores.jsonl", rows)
    files.write_json(folder / "summary.json", summaries)
    return folder


def compared(before: Path, after: Path) -> tuple[dict[str, MetricComparison], list[Pair]]:
    comparisons, pairs = compare_evaluations(read_evaluation(before), read_evaluation(after))
    return {comparison.metric: comparison for comparison in comparisons}, pairs


def values(shift: float = 0.0) -> dict[str, float]:
    """Forty samples; ``shift`` raises every one by about as much."""
    noise = np.random.default_rng(9).normal(0, 0.002, SPREAD.size) if shift else 0.0
    return {f"{index:02}.mp4": float(value) for index, value in enumerate(SPREAD + shift + noise)}


def test_pairing_finds_a_small_change_that_the_spread_would_hide(tmp_path: Path) -> None:
    before = evaluation(tmp_path / "a", {"common.ssim": values()})
    after = evaluation(tmp_path / "b", {"common.ssim": values(0.005)})
    found = compared(before, after)[0]["common.ssim"]
    assert found.difference == pytest.approx(0.005, abs=0.001)
    assert found.interval and 0.003 < found.interval[0] < found.difference < found.interval[1] < 0.007
    assert found.wins and found.wins > 35 and found.p_value is not None and found.p_value < 1e-6
    assert SPREAD.std() / math.sqrt(SPREAD.size) > 0.01  # what comparing two averages could tell apart


def test_equal_evaluations_are_ties(tmp_path: Path) -> None:
    folders = [evaluation(tmp_path / name, {"common.ssim": values()}) for name in "ab"]
    found = compared(*folders)[0]["common.ssim"]
    assert (found.difference, found.interval, found.wins, found.losses, found.ties) == (0.0, (0.0, 0.0), 0, 0, 40)
    assert found.p_value == 1.0


@pytest.mark.parametrize(("direction", "counts"), [("higher", (2, 1)), ("lower", (1, 2)), ("none", (None, None))])
def test_wins_and_losses_follow_the_direction(
    direction: str, counts: tuple[int | None, int | None], tmp_path: Path
) -> None:
    before = evaluation(tmp_path / "a", {"m.x": {"a": 1, "b": 1, "c": 1, "d": 1}}, direction=direction)
    after = evaluation(tmp_path / "b", {"m.x": {"a": 2, "b": 3, "c": 0, "d": 1}}, direction=direction)
    found = compared(before, after)[0]["m.x"]
    assert (found.wins, found.losses, found.ties) == (*counts, 1)


def test_samples_of_only_one_side_are_counted_and_left_out(tmp_path: Path) -> None:
    before = evaluation(tmp_path / "a", {"m.x": {"a": 1, "b": 1, "only here": 100}})
    after = evaluation(tmp_path / "b", {"m.x": {"a": 2, "b": 1, "there": -100, "and there": 5}})
    comparisons, pairs = compared(before, after)
    assert comparisons["m.x"].unpaired == (1, 2) and comparisons["m.x"].before == 1.0
    assert [(pair.sample, pair.difference) for pair in pairs] == [("a", 1.0), ("b", 0.0)]


def test_samples_of_only_one_side_are_no_differences_of_0(tmp_path: Path) -> None:
    """Neither in the mean, nor for a gate, which says how many there are."""
    before = evaluation(tmp_path / "a", {"m.x": {"a": 1.0, "gone": 1.0}})
    after = evaluation(tmp_path / "b", {"m.x": {"a": 0.7, "new": 1.0, "newer": 1.0}})
    comparisons, pairs = compare_evaluations(read_evaluation(before), read_evaluation(after))
    assert comparisons[0].difference == pytest.approx(-0.3) and comparisons[0].pairs == 1 and comparisons[0].ties == 0
    limits = {"m.x": [">=-0.2", "max>=-0.2", "p50>=-0.2"]}
    found = gate.evaluate(limits, gate.of_comparison(comparisons, pairs))
    assert [item.verdict for item in found] == [Verdict.REGRESSION] * 3
    assert all("3 sample(s) without a value" in item.message for item in found)


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"version": 2}, "version 1 before and 2 after: their values are never mixed"),
        ({"params": {"window": 7}}, "its parameters differ: window 11 before and 7 after"),
        ({"assets": {"net": {"revision": "b"}}}, "its weights differ: none recorded before and net b after"),
    ],
)
def test_another_measure_by_the_same_name_is_refused_with_the_reason(
    facts: dict[str, Any], says: str, tmp_path: Path
) -> None:
    before = evaluation(tmp_path / "a", {"m.x": {"a": 1.0}})
    after = evaluation(tmp_path / "b", {"m.x": {"a": 2.0}}, **facts)
    comparisons, pairs = compared(before, after)
    assert (comparisons["m.x"].message, comparisons["m.x"].difference, pairs) == (says, None, [])


def test_metrics_of_one_side_and_metrics_without_shared_samples_come_last(tmp_path: Path) -> None:
    before = evaluation(tmp_path / "a", {"m.gone": {"a": 1}, "m.other": {"a": 1}, "m.x": {"a": 1}})
    after = evaluation(tmp_path / "b", {"m.new": {"a": 1}, "m.other": {"b": 1}, "m.x": {"a": 1}})
    comparisons, _ = compared(before, after)
    assert [(name, item.message) for name, item in comparisons.items()] == [
        ("m.x", ""),
        ("m.gone", "measured only before"),
        ("m.other", "no sample has a value in both: a is only before, b only after, for example"),
        ("m.new", "measured only after"),
    ]


def test_set_metrics_differ_by_their_values(tmp_path: Path) -> None:
    before = evaluation(tmp_path / "a", {"common.fvd": {"a": 10.0}}, kind="set", direction="lower")
    after = evaluation(tmp_path / "b", {"common.fvd": {"b": 8.0}}, kind="set", direction="lower")
    found = compared(before, after)[0]["common.fvd"]
    assert (found.before, found.after, found.difference, found.interval, found.pairs) == (10.0, 8.0, -2.0, None, 0)


def test_clips_keep_their_place_when_another_folder_names_them(tmp_path: Path) -> None:
    folders = [evaluation(tmp_path / name, {"m.x": {"a.mp4": 1.0}}) for name in "ab"]
    [pair] = compared(*folders)[1]
    assert pair.clips["after"]["video"] == str(tmp_path / "b" / "artifacts" / "a.mp4")


def test_a_folder_that_is_no_evaluation_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a finished evaluation"):
        read_evaluation(tmp_path)
    folder = evaluation(tmp_path, {"m.x": {"a": 1.0}})
    files.write_json(folder / "summary.json", [{"metric": 5}])
    with pytest.raises(UsageError, match=r"summary\.json is not a summary"):
        read_evaluation(folder)


def test_a_sweep_over_shards_is_what_it_was_merged_into(tmp_path: Path) -> None:
    evaluation(tmp_path / "sweep" / "merged-eval", {"m.x": {"a": 1.0}})
    assert read_evaluation(tmp_path / "sweep").folder == tmp_path / "sweep" / "merged-eval"


def test_gates_hold_the_differences(tmp_path: Path) -> None:
    before = evaluation(tmp_path / "a", {"m.x": {"a": 1.0, "b": 1.0}, "m.y": {"a": 1.0}})
    after = evaluation(tmp_path / "b", {"m.x": {"a": 1.1, "b": 0.8}})
    comparisons, pairs = compare_evaluations(read_evaluation(before), read_evaluation(after))
    limits = {"m.x": [">=-0.1", "min>=-0.1"], "m.y": ">=0", "m.z": ">=0"}
    found = gate.evaluate(limits, gate.of_comparison(comparisons, pairs))
    verdicts = [Verdict.PASS, Verdict.REGRESSION, Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE]
    assert [item.verdict for item in found] == verdicts
    assert found[1].message == "m.x min difference is -0.2, allowed >= -0.1."
    assert found[1].worst[0] == "b: -0.2" and "measured only before" in found[2].message


@pytest.mark.parametrize(("wins", "losses", "p"), [(0, 0, 1.0), (10, 0, 2 / 1024), (9, 1, 22 / 1024), (4, 4, 1.0)])
def test_the_sign_test_counts_exactly(wins: int, losses: int, p: float) -> None:
    assert sign_test(wins, losses) == pytest.approx(p) == sign_test(losses, wins)


def test_the_sign_test_of_many_pairs_agrees_with_the_normal_approximation() -> None:
    deviations = (5200 - 4800 - 1) / math.sqrt(10000)  # with continuity correction
    assert sign_test(5200, 4800) == pytest.approx(math.erfc(deviations / math.sqrt(2)), rel=0.01)


def test_pairs_survive_being_written_in_the_order_of_their_change(tmp_path: Path) -> None:
    odd = Pair("m.x", "clip \u2028 \udcff.mp4", 1.0, 0.5, {"before": {"video": "/a"}}, "prompt", ["tag"])
    pairs = [Pair("m.x", "b", 1.0, 1.1), odd, Pair("m.a", "c", 0.0, 0.0), replace(odd, sample="a")]
    write_pairs(tmp_path / "pairs.jsonl", pairs)
    assert list(read_pairs(tmp_path / "pairs.jsonl")) == [pairs[2], pairs[3], odd, pairs[0]]
