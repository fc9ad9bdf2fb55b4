# SPDX-License-Identifier: Apache-2.0
"""Metrics with networks in whole evaluations: side by side in threads, split into shards, their features kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from fvhydra.core.progress import Silent
from fvhydra.core.scores import MetricSummary, ScoreRow
from fvhydra.evaluation.evaluate import evaluate, merge
from fvhydra.evaluation.scoring import Resources
from fvhydra.media.video import encode
from fvhydra.metrics.assets import HubAssets
from fvhydra.metrics.base import Metric
from fvhydra.metrics.catalogue import metric_class
from fvhydra.metrics.sample import Sample
from tests.similarity.conftest import textured

IDS = ("common.fvd", "common.lpips", "vbench.aesthetic_quality", "vbench.subject_consistency")


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weights")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """Four pairs, and two clips that only belong to the reference set."""
    folder = tmp_path_factory.mktemp("clips")
    for index in range(6):
        encode(folder / f"{index}.mp4", textured(17, 40, 64, seed=index), 24)
        encode(folder / f"{index} darker.mp4", textured(17, 40, 64, seed=index) // 2, 24)
    pairs = [{"video": folder / f"{index} darker.mp4", "reference": folder / f"{index}.mp4"} for index in range(4)]
    alone = [Sample(f"reference/{index}", {"video": folder / f"{index}.mp4"}, "reference") for index in (4, 5)]
    return [Sample(f"{index}", keys) for index, keys in enumerate(pairs)] + alone


def metrics(cache_dir: Path, *ids: str) -> list[Metric]:
    """As another process has them."""
    assets = HubAssets("cpu", cache_dir, tiny=True)
    return [metric_class(name)(metric_class(name).spec.params(), assets) for name in ids or IDS]


def run(
    samples: list[Sample], folder: Path, cache_dir: Path, workers: int = 1
) -> tuple[dict[str, MetricSummary], list[ScoreRow]]:
    summaries, rows = evaluate(samples, metrics(cache_dir), folder, Silent(), resources=Resources(workers, 8))
    return {summary.metric: summary for summary in summaries}, rows


def told(rows: list[ScoreRow]) -> list[tuple[str, str, str, float | None]]:
    return [(row.sample, row.metric, row.status, row.value) for row in rows]


def test_workers_and_shards_change_nothing(samples: list[Sample], tmp_path: Path, cache_dir: Path) -> None:
    whole, rows = run(samples, tmp_path / "whole", cache_dir)
    assert {row.status for row in rows} == {"ok"}
    assert {name: summary.counts["ok"] for name, summary in whole.items()} == {
        **dict.fromkeys(IDS, 4),
        "common.fvd": 6,
    }
    assert told(run(samples, tmp_path / "threads", cache_dir, workers=3)[1]) == told(rows)
    folders = [tmp_path / f"shard{part}" for part in range(3)]
    for part, folder in enumerate(folders):
        run(samples[part::3], folder, cache_dir)
    for name, order in (("forth", folders), ("back", [folders[index] for index in (2, 0, 1)])):
        summaries, merged = merge(order, metrics(cache_dir), tmp_path / name)
        assert told(merged) == told(rows)
        for summary in summaries:
            assert summary.value == pytest.approx(whole[summary.metric].value, rel=1e-9)
            assert summary.outputs == whole[summary.metric].outputs
    assert whole["common.fvd"].outputs["n_reference"] == 6
    assert whole["common.fvd"].value and whole["common.fvd"].value > 0
