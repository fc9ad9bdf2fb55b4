# SPDX-License-Identifier: Apache-2.0
"""From words to metrics: everything that is wrong is said at once, before anything is loaded."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from fvhydra.config.metrics import Choice, MetricsConfig, choices
from fvhydra.config.problems import ConfigError
from fvhydra.core.errors import UsageError
from fvhydra.core.trust import trust_classes
from fvhydra.evaluation.metric_setup import build_metrics, load_metric
from fvhydra.metrics.base import Metric
from fvhydra.metrics.distance import FrechetMetric
from fvhydra.metrics.planned import PLANNED
from tests.evaluation import toys

BRIGHTNESS = f"{toys.__name__}.Toy"


def test_a_metric_from_outside_needs_its_dotted_path_only() -> None:
    [metric] = build_metrics([Choice("toy.brightness", {"scale": 2}, BRIGHTNESS)], toys.NoAssets())
    assert (metric.spec.title, metric.params.scale) == ("The toy brightness", 2.0)


def test_everything_that_is_wrong_is_listed() -> None:
    wrong = [
        Choice("common.sssim", {}),
        Choice(next(iter(PLANNED)), {}),
        Choice("common.psnr", {"larges": 1}),
        Choice("toy.brightness", {"scale": -1, "shade": 2}, BRIGHTNESS),
        Choice("toy.other", {}, BRIGHTNESS),
        Choice("toy.absent", {}, "tests.nowhere.Absent"),
    ]
    with pytest.raises(UsageError) as caught:
        build_metrics(wrong, toys.NoAssets())
    said = caught.value.message.splitlines()
    for number, expected in enumerate(
        (
            "There is no metric common.sssim. Did you mean 'common.ssim'?",
            f"{next(iter(PLANNED))} is planned and cannot be computed yet.",
            "There is no parameter metrics.use.common.psnr.larges. Did you mean 'largest'? It has: ",
            "There is no parameter metrics.use.toy.brightness.shade.",
            "metrics.use.toy.brightness.scale=-1: should be greater than 0.",
            "metrics.use.toy.other._target_ is the metric toy.brightness; use that id.",
            "metrics.use.toy.absent._target_=tests.nowhere.Absent cannot be imported",
        ),
        1,
    ):
        assert expected in said[number]
    assert len(said) == 8


def test_nothing_to_measure_is_an_error() -> None:
    with pytest.raises(UsageError, match="chooses no metric"):
        build_metrics([], toys.NoAssets())


def test_the_digest_tells_parameters_apart() -> None:
    one, same, other = (load_metric(toys.make(toys.Toy, scale=scale)).digest for scale in (1.0, 1.0, 2.0))
    assert one == same != other


def test_metrics_are_chosen_by_family_and_name() -> None:
    use = {"b": {"y": {"p": 1}, "x": {}}, "a": {"z": None, "w": {"_target_": "m.C", "q": 2}}}
    assert choices(MetricsConfig(use=use)) == [
        Choice("a.w", {"q": 2}, "m.C"),
        Choice("b.x", {}),
        Choice("b.y", {"p": 1}),
    ]


def test_what_is_no_metric_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        choices(MetricsConfig(use={"a": 3, "b": {"c": "yes"}}))
    assert caught.value.problems == [
        "metrics.use.a=3: must be names of metrics, as in common.ssim.",
        "metrics.use.b.c='yes': must be parameters, {} or null.",
    ]


def test_a_module_that_breaks_while_it_is_imported_is_the_persons_to_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "breaks_on_import.py").write_text("class Sharp(\n")
    monkeypatch.syspath_prepend(tmp_path)
    trust_classes(["breaks_on_import"])
    with pytest.raises(UsageError, match=r"cannot be imported \(SyntaxError: "):
        build_metrics([Choice("toy.sharp", {}, "breaks_on_import.Sharp")], toys.NoAssets())


class Bare(Metric):
    """Has no ``begin``."""

    spec = toys.described("bare", "video")


class Nameless(toys.Toy):
    spec = None  # type: ignore[assignment]


class NoSet(toys.Toy):
    spec = toys.described("no_set", "video", kind="set")


class Unsure(toys.Toy):
    spec = dataclasses.replace(toys.described("unsure", "video"), params=Choice)


class Untold(toys.Toy):
    spec = dataclasses.replace(toys.described("untold", "video"), params=dict)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (Bare, r"lacks begin, which fvhydra\.metrics\.base\.Metric asks for"),
        (Nameless, r"is no metric: Nameless\.spec is not a Spec"),
        (NoSet, "is no metric: its kind is 'set', and only those of kind 'set' derive from SetMetric"),
        (Unsure, "is no metric: spec.params has no default for everything"),
        (Untold, "is no metric: spec.params is not a dataclass"),
        (FrechetMetric, "lacks begin, facts"),
    ],
)
def test_a_class_that_keeps_no_contract_is_refused_before_anything_runs(kind: type, says: str) -> None:
    name = f"toy.{kind.__name__.lower()}"
    with pytest.raises(UsageError, match=says):
        build_metrics([Choice(name, {}, f"{kind.__module__}.{kind.__name__}")], toys.NoAssets())
