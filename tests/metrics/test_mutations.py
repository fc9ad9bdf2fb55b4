# SPDX-License-Identifier: Apache-2.0
"""Every metric sees what it says it sees."""

from __future__ import annotations

import pytest

from fvhydra.metrics.assets import HubAssets
from fvhydra.metrics.catalogue import CLASSES, metric_class
from tests.metrics import table
from tests.metrics.mutations import MUTATIONS
from tests.metrics.running import make, score, skips
from tests.metrics.scenes import Stage, takes

IDS = sorted(CLASSES)
CLAIMS = [(metric, mutation) for metric in IDS for mutation in metric_class(metric).spec.sees]
PAIRED = [metric for metric in IDS if {"video", "reference"} <= set(metric_class(metric).spec.keys("video"))]


@pytest.fixture(scope="module")
def stage(assets: HubAssets, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage(tmp_path_factory.mktemp("stage"), assets)


def test_only_known_mutations_are_claimed() -> None:
    assert {mutation for _, mutation in CLAIMS} <= set(MUTATIONS)


@pytest.mark.parametrize(("metric", "mutation"), CLAIMS)
def test_it_sees(metric: str, mutation: str, stage: Stage) -> None:
    assert table.change(stage, metric, mutation) == "worse"


@pytest.mark.parametrize("metric", IDS)
def test_values_are_in_range(metric: str, stage: Stage) -> None:
    spec = metric_class(metric).spec
    for change in MUTATIONS.values():
        if not spec.loads(spec.params()):  # random weights keep to no range
            value = stage.value(metric, change(takes()))
            assert value is None or (spec.low is None or value >= spec.low - 1e-9)
            assert value is None or (spec.high is None or value <= spec.high + 1e-9)


@pytest.mark.parametrize(
    "metric", [metric for metric in PAIRED if not (spec := metric_class(metric).spec).loads(spec.params())]
)
def test_a_clip_that_lost_a_frame_is_not_compared(metric: str) -> None:
    if make(metric).alignment == "strict":  # the pass skips it, see tests/evaluation
        return
    clip = takes()[0].video
    with skips("shape", "differ: video 15 and reference 16"):
        score(make(metric), fps=8, reference=clip, reference_take2=clip, video=clip[:-1])


@pytest.mark.slow
def test_the_table_is_that_of_the_metrics(stage: Stage) -> None:
    assert table.written(table.PAGE.read_text(encoding="utf-8")) == table.table(stage), (
        "docs/metrics.md is stale: python -m tests.metrics.table"
    )
