# SPDX-License-Identifier: Apache-2.0
"""Making metrics from ``metrics.use``: checking parameters, creating, loading."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import pydantic

from fvhydra.config.metrics import Choice
from fvhydra.config.problems import listing
from fvhydra.core import extras, files
from fvhydra.core.errors import FvhydraError, UsageError, nearest
from fvhydra.core.out_of_memory import out_of_memory, ran_out
from fvhydra.metrics import catalogue
from fvhydra.metrics.base import Assets, Metric, Skip, Skipped

FULL = "Use metrics.device=cpu, or free the GPU; what was scored is kept: op.resume_from=<the run folder>."


@dataclass(frozen=True)
class LoadedMetric:
    """A metric, and whether it can be used here.

    Attributes:
        metric: With its parameters.
        digest: Of the parameters and the revisions of its weights, see ``ScoreRow.params``.
        skip: Why every sample is skipped: no weights, a missing package.
        error: What went wrong while it was loaded; every sample fails with it.
    """

    metric: Metric
    digest: str
    skip: Skip | None = None
    error: Exception | None = None


def build_metrics(choices: Sequence[Choice], assets: Assets) -> list[Metric]:
    """The chosen metrics with their parameters, sorted by id. Nothing is loaded.

    Raises:
        UsageError: Lists everything that is wrong: no metric at all, unknown and planned metrics, parameters.
    """
    if not choices:
        raise UsageError(
            "There is nothing to measure: metrics= chooses no metric.",
            "Add some, as metrics=pixel or metrics=[pixel,temporal]; `fvhydra op=metrics` lists all.",
        )
    metrics: list[Metric] = []
    problems: list[str] = []
    for choice in choices:
        try:
            kind = catalogue.metric_class(choice.id, choice.target)
        except FvhydraError as error:
            problems.append(error.message)
            continue
        problems += _unknown(choice, kind)
        try:
            metrics.append(kind(kind.spec.params(**choice.params), assets))
        except pydantic.ValidationError as error:
            problems += _wrong(choice, error)
    if problems:
        raise UsageError(
            listing(problems), "`fvhydra op=metrics` lists all metrics, `fvhydra op=metrics metric=<id>` explains one."
        )
    return sorted(metrics, key=lambda metric: metric.spec.id)


def require_packages(metrics: Sequence[Metric]) -> None:
    """Refuse metrics whose libraries are not installed here.

    Raises:
        UsageError: Names the metrics, the libraries and the line that installs them.
    """
    lacking = {metric.spec.id: extras.missing(metric.spec.imports(metric.params)) for metric in metrics}
    ids = [name for name, modules in lacking.items() if modules]
    extras.require(", ".join(ids), dict.fromkeys(name for modules in lacking.values() for name in modules))


def load_metric(metric: Metric) -> LoadedMetric:
    """Load what the metric needs."""
    skip = catalogue.missing_package(metric.spec, metric.params)
    error: Exception | None = None
    if skip is None:
        try:
            metric.setup()
        except Skipped as skipped:
            skip = skipped.skip
        except Exception as failure:  # a metric that breaks takes no other down
            raise_if_full(failure, metric)
            error = failure
    revisions = {
        asset.name: metric.assets.revision(metric.spec, asset.name) for asset in metric.spec.loads(metric.params)
    }
    digest = files.sha256_bytes(files.canonical_json({"params": metric.params, "weights": revisions}).encode())
    return LoadedMetric(metric, digest[:16], skip, error)


def raise_if_full(error: Exception, metric: Metric) -> None:
    """A GPU whose memory ran out is no failure of a metric, nor of a sample: the evaluation ends, and can go on.

    Raises:
        InfrastructureError: It did.
    """
    if ran_out(error) == "GPU" and (full := out_of_memory(error, f"computing {metric.spec.id}", FULL)):
        raise full from error


def _unknown(choice: Choice, kind: type[Metric]) -> list[str]:
    """Parameters that the metric does not have."""
    known = [item.name for item in dataclasses.fields(kind.spec.params)]
    allowed = f"It has: {', '.join(known) or 'none'}."
    return [
        f"There is no parameter metrics.use.{choice.id}.{name}.{nearest(name, known)} {allowed}"
        for name in choice.params
        if name not in known
    ]


def _wrong(choice: Choice, error: pydantic.ValidationError) -> list[str]:
    """Parameters whose values are not allowed."""
    return [
        f"metrics.use.{choice.id}.{'.'.join(map(str, item['loc']))}={item['input']!r}: "
        f"{item['msg'].removeprefix('Input ').removeprefix('Value error, ')}."
        for item in error.errors(include_url=False, include_context=False)
        if item["type"] != "unexpected_keyword_argument"
    ]
