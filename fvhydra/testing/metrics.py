# SPDX-License-Identifier: Apache-2.0
"""What every metric must keep (``fvhydra.metrics.base``), on samples that it can measure."""

from __future__ import annotations

import dataclasses
import json
import math
import pickle
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, get_args

import numpy as np
import pytest

from fvhydra.core.files import plain
from fvhydra.core.progress import Silent
from fvhydra.core.scores import MetricSummary, ScoreRow
from fvhydra.core.trust import trust_classes
from fvhydra.evaluation.evaluate import evaluate, merge
from fvhydra.evaluation.scoring import Resources
from fvhydra.metrics.assets import HubAssets
from fvhydra.metrics.base import Alignment, Assets, Code, Metric, Score, SetMetric, Skip, Skipped
from fvhydra.metrics.catalogue import metric_class
from fvhydra.metrics.spec import Direction, Kind, Medium
from fvhydra.testing.samples import VideoSample, samples_for, score, value_or_reason
from fvhydra.testing.scores import digest, rows_of, same, state_of, through_a_file, told

_ROUNDING = 1e-9
"""Of states that are merged in another order, relative."""


class MetricContract:
    """Subclass it in a test module and set :attr:`metric`; pytest does the rest.

    Override the fixture ``samples`` where the metric needs files or data, and ``metric_assets`` where it has weights of
    its own: by default small random weights stand for those of this package.
    """

    metric: ClassVar[str]
    """Its id."""

    target: ClassVar[str | None] = None
    """Dotted path of the class of a metric from outside this package."""

    params: ClassVar[Mapping[str, Any]] = {}
    """Parameters that are not to be the defaults."""

    tolerance: ClassVar[float] = 0.0
    """Relative, of values of equal samples in chunks of other lengths: what a network's batches may change."""

    @pytest.fixture(scope="class")
    @classmethod
    def metric_assets(cls, tmp_path_factory: pytest.TempPathFactory) -> Assets:
        """Where weights come from."""
        return HubAssets("cpu", tmp_path_factory.mktemp("assets"), tiny=True)

    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls, metric_assets: Assets) -> Metric:
        """The metric, loaded."""
        made = cls.made(metric_assets)
        made.setup()
        return made

    @pytest.fixture(scope="class")
    @classmethod
    def samples(cls, tmp_path_factory: pytest.TempPathFactory) -> Sequence[VideoSample]:
        """Two samples or more that differ, with all that the metric needs and, if it compares, references."""
        if cls.target:
            trust_classes([cls.target])
        return samples_for(metric_class(cls.metric, cls.target).spec, tmp_path_factory.mktemp("samples"))

    @pytest.fixture(scope="class")
    @classmethod
    def scores(
        cls, subject: Metric, samples: Sequence[VideoSample], tmp_path_factory: pytest.TempPathFactory
    ) -> list[Score]:
        """What it finds on them."""
        folder = tmp_path_factory.mktemp("scores")
        return [score(subject, sample, folder) for sample in samples]

    @classmethod
    def made(cls, assets: Assets) -> Metric:
        """The metric, not loaded."""
        if cls.target:
            trust_classes([cls.target])  # this test names it
        found = metric_class(cls.metric, cls.target)
        return found(found.spec.params(**cls.params), assets)

    # ------------------------------------------------------------------ what it says of itself
    def test_its_description_says_what_it_must(self, subject: Metric) -> None:
        spec = subject.spec
        assert spec.id == self.metric and spec.id.count(".") == 1 and spec.version >= 1
        assert spec.title and not spec.title.endswith(".")
        assert spec.source
        assert spec.kind in get_args(Kind) and spec.direction in get_args(Direction)
        assert spec.low is None or spec.high is None or spec.low < spec.high
        for items in (spec.inputs, spec.outputs, spec.assets):
            names = [item.key if hasattr(item, "key") else item.name for item in items]
            assert len(set(names)) == len(names)
        assert all(item.medium in get_args(Medium) and item.least_frames >= 1 for item in spec.inputs)
        assert subject.alignment in get_args(Alignment)
        assert set(subject.comparable_to) <= set(spec.comparable_to)

    def test_its_parameters_can_be_written_down(self, subject: Metric) -> None:
        for params in (subject.params, subject.spec.params()):
            assert subject.spec.params(**json.loads(json.dumps(plain(params), allow_nan=False))) == params

    # ------------------------------------------------------------------ on a sample
    @pytest.mark.parametrize("lengths", [(1,), (2, 7), (1000,)], ids=str)
    def test_the_same_sample_has_the_same_value_in_chunks_of_any_length(
        self,
        subject: Metric,
        samples: Sequence[VideoSample],
        scores: list[Score],
        lengths: tuple[int, ...],
        tmp_path: Path,
    ) -> None:
        for sample, expected in zip(samples, scores, strict=True):
            same(score(subject, sample, tmp_path, lengths), expected, self.tolerance)

    def test_samples_side_by_side_in_threads_keep_their_values(
        self, subject: Metric, samples: Sequence[VideoSample], scores: list[Score], tmp_path: Path
    ) -> None:
        with ThreadPoolExecutor(4) as pool:
            for _ in range(2):
                found = [pool.submit(score, subject, sample, tmp_path) for sample in samples]
                for each, expected in zip(found, scores, strict=True):
                    same(each.result(), expected, self.tolerance)

    def test_nothing_of_a_sample_stays_for_the_next(
        self, subject: Metric, samples: Sequence[VideoSample], scores: list[Score], tmp_path: Path
    ) -> None:
        first, second = samples[:2]
        score(subject, second, tmp_path)
        abandoned = {key: video[:3] for key, video in second.videos.items()}
        value_or_reason(subject, dataclasses.replace(second, videos=abandoned), tmp_path)
        same(score(subject, first, tmp_path), scores[0], 0.0)

    def test_another_sample_has_another_value(self, scores: list[Score]) -> None:
        first, second = ((item.value, *map(digest, item.contribution.values())) for item in scores[:2])
        assert first != second or scores[0].outputs != scores[1].outputs

    def test_without_an_input_there_is_a_reason_and_no_value(
        self, subject: Metric, samples: Sequence[VideoSample], tmp_path: Path
    ) -> None:
        for item in (item for item in subject.spec.inputs if item.required):
            skip = subject.check(samples[0].without(item.key).in_memory(tmp_path))
            assert isinstance(skip, Skip) and item.key in skip.reason, item.key
            assert skip.code in get_args(Code)

    def test_a_clip_without_frames_has_no_value(
        self, subject: Metric, samples: Sequence[VideoSample], tmp_path: Path
    ) -> None:
        if set(subject.spec.keys("video")) & set(samples[0].videos):
            nothing = {key: video[:0] for key, video in samples[0].videos.items()}
            found = value_or_reason(subject, dataclasses.replace(samples[0], videos=nothing), tmp_path)
            assert isinstance(found, Skip) and found.reason

    def test_what_it_gives_is_what_it_describes(self, subject: Metric, scores: list[Score]) -> None:
        spec = subject.spec
        declared = {output.name: output.per for output in spec.outputs}
        made_up = any(
            str(subject.assets.revision(spec, a.name)).startswith("tiny:") for a in spec.loads(subject.params)
        )
        for found in scores:
            json.dumps(plain(found.outputs), allow_nan=False)
            if spec.kind == "sample":
                assert set(found.outputs) == {name for name, per in declared.items() if per == "clip"}
                assert found.value is not None or found.undefined
            else:
                assert found.value is None and found.contribution
            if found.value is not None:
                assert math.isfinite(found.value) or found.value == spec.ideal
                assert made_up or spec.low is None or found.value >= spec.low - _ROUNDING
                assert made_up or spec.high is None or found.value <= spec.high + _ROUNDING
            assert set(found.series) == {name for name, per in declared.items() if per != "clip"}
            for name, values in found.series.items():
                assert found.frames is not None and np.issubdtype(values.dtype, np.floating)
                assert values.shape == (found.frames - (declared[name] == "pair"),)

    def test_what_equals_its_reference_is_ideal(
        self, subject: Metric, samples: Sequence[VideoSample], tmp_path: Path
    ) -> None:
        ideal = subject.spec.ideal
        if ideal is None or not all(sample.has_references for sample in samples):
            return
        found = [score(subject, sample.equal_to_its_references(), tmp_path) for sample in samples]
        values = [self.over_all(subject, found)] if subject.spec.kind == "set" else [item.value for item in found]
        assert values == [pytest.approx(ideal, abs=1e-6)] * len(values)

    # ------------------------------------------------------------------ over all samples
    @classmethod
    def over_all(cls, subject: Metric, scores: Sequence[Score]) -> float | None:
        """The value over all samples."""
        if isinstance(subject, SetMetric):
            return subject.compute(state_of(subject, scores)).value
        return subject.corpus(rows_of(subject, scores)).value

    def test_all_samples_have_one_value(self, subject: Metric, scores: list[Score]) -> None:
        value = self.over_all(subject, scores)
        assert value is not None and math.isfinite(value)
        if subject.spec.kind == "sample" and subject.spec.rule == "mean":
            assert value == pytest.approx(np.mean([item.value for item in scores if item.value is not None]))

    def test_no_samples_have_no_value(self, subject: Metric) -> None:
        if isinstance(subject, SetMetric):
            with pytest.raises(Skipped, match=r"\w"):
                subject.compute(subject.empty())

    def test_states_merge_in_any_order_and_survive_a_file(self, subject: Metric, scores: list[Score]) -> None:
        if not isinstance(subject, SetMetric):
            return
        states = [state_of(subject, [item]) for item in scores]
        expected = subject.compute(state_of(subject, scores)).value
        orders = (states, states[::-1], [subject.empty(), *states], [*states, subject.empty()])
        for order in orders:
            merged = subject.empty()
            for state in order:
                merged = subject.merge(merged, through_a_file(state))
            assert subject.compute(through_a_file(merged)).value == pytest.approx(expected, rel=_ROUNDING)

    # ------------------------------------------------------------------ in an evaluation
    def test_workers_and_shards_change_nothing(
        self, metric_assets: Assets, samples: Sequence[VideoSample], tmp_path: Path
    ) -> None:
        written = [sample.written(tmp_path) for sample in samples]

        def run(name: str, workers: int, *which: int) -> tuple[MetricSummary, list[ScoreRow]]:
            chosen = [written[index] for index in which or range(len(written))]
            metrics = [self.made(metric_assets)]
            summaries, rows = evaluate(chosen, metrics, tmp_path / name, Silent(), resources=Resources(workers, 1))
            return summaries[0], rows

        whole, rows = run("whole", 1)
        assert {row.status for row in rows} == {"ok"}, [row.message for row in rows]
        assert told(run("workers", 3)[1]) == told(rows)
        for index in range(len(written)):
            run(f"shard {index}", 1, index)
        folders = [tmp_path / f"shard {index}" for index in range(len(written))]
        summaries, merged = merge(folders[::-1], [self.made(metric_assets)], tmp_path / "merged")
        assert told(merged) == told(rows)
        assert summaries[0].value == pytest.approx(whole.value, rel=_ROUNDING)

    def test_in_another_process_it_measures_thesame(
        self, metric_assets: Assets, samples: Sequence[VideoSample], scores: list[Score], tmp_path: Path
    ) -> None:
        """One that cannot be sent there is scored in threads only, which is slower where there are many clips."""
        made = self.made(metric_assets)
        if made.spec.loads(made.params):  # networks are loaded once, and stay where they are
            return
        sent = pickle.loads(pickle.dumps(made))
        sent.setup()
        same(score(sent, samples[0], tmp_path), scores[0], 0.0)
