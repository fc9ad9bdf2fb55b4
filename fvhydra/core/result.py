# SPDX-License-Identifier: Apache-2.0
"""What a run found out, as plain data: ``result.json``. Reports, summaries and exit codes are made from it alone."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any

import pydantic

from fvhydra.config.problems import first_problem
from fvhydra.core.comparison import MetricComparison
from fvhydra.core.errors import UsageError
from fvhydra.core.scores import MetricSummary
from fvhydra.core.verdict import Verdict


@dataclass
class Criterion:
    """One automatic check of the review, or one limit of a gate."""

    name: str
    passed: bool
    given: str
    allowed: str


@dataclass
class Difference:
    """A key whose value differs between a reference and this run."""

    key: str
    reference: Any
    run: Any


@dataclass
class CaseResult:
    """One case. Paths are relative to the run folder, with forward slashes.

    ``comparison`` is what ``fvhydra.similarity`` measured, with a ``kind`` of ``pixel`` or ``latent``:

    * pixel: ``mean_ssim``, ``min_ssim``, ``max_ssim`` (MS-SSIM), ``worst_frame``, ``per_frame`` (list of float),
      ``frames``, ``height``, ``width``, ``fps``, ``difference`` (a sentence, when the clips cannot be compared)
    * latent: ``slice_cosine_distance``, ``full_cosine_distance``, ``max_abs_diff``, ``difference``

    and ``thresholds`` and ``passed`` in both.
    """

    index: int
    prompt: str
    seed: int | None
    """None when nobody knows: a reference that somebody else made, without a sidecar."""
    fingerprint: str
    verdict: Verdict
    message: str = ""
    kind: str = "pixel"
    artifact: str | None = None
    reference: str | None = None
    store_path: str | None = None
    comparison: dict[str, Any] | None = None
    numerics: dict[str, Any] | None = None
    difference_map: str | None = None
    """``.npy``, float32 ``[T, H, W]``: mean absolute difference over the channels of a latent."""
    recipe_known: bool = True
    """False when the reference has no sidecar: it is compared all the same, and nobody can say whether it should be."""
    criteria: list[Criterion] = field(default_factory=list)
    history: list[dict[str, str]] = field(default_factory=list)
    """Where the reference comes from: its commits, newest first: ``revision, time, who, kind, reason``."""
    recipe_difference: list[Difference] = field(default_factory=list)
    environment_difference: list[Difference] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass
class GateResult:
    """A metric held to one limit of ``op.gate``.

    Attributes:
        limit: As :class:`~fvhydra.config.gates.Limit` writes it, such as ``min >= 0.9``.
        verdict: ``pass``, ``regression``, or ``inconclusive`` where there is nothing to hold to it.
        value: What was held to it.
        worst: The samples that are farthest on the wrong side, a line each.
    """

    metric: str
    limit: str
    verdict: Verdict
    message: str
    value: float | None = None
    worst: list[str] = field(default_factory=list)


@dataclass
class RunResult:
    """One run."""

    op: str
    verdict: Verdict
    message: str = ""
    model: str = ""
    title: str = ""
    """What tells this job from its neighbours in a sweep: the overrides that were swept."""
    cases: list[CaseResult] = field(default_factory=list)
    metrics: list[MetricSummary] = field(default_factory=list)
    """What an evaluation measured, as in ``summary.json``; its page is made of it, ``scores.jsonl`` and ``frames/``."""
    environment_difference: list[Difference] | None = field(default_factory=list)
    """Of the two runs that were compared: what each was made with, ``reference`` for the one before and ``run`` for the
    one after. None where one of them does not say."""
    comparisons: list[MetricComparison] = field(default_factory=list)
    """What comparing two evaluations found; its page is made of it and of ``pairs.jsonl``."""
    gates: list[GateResult] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Sentences for the person: the command to run next, warnings."""
    details: dict[str, Any] = field(default_factory=dict)
    """What only this op has to say, JSON."""

    @classmethod
    def from_json(cls, data: Any) -> RunResult:
        """The inverse of ``files.plain``. Keys that a newer version added are dropped.

        Raises:
            UsageError: The record was damaged, or written by another version.
        """
        try:
            return _adapter().validate_python(data)
        except pydantic.ValidationError as error:
            raise UsageError(f"The recorded result is not one: {first_problem(error)}.") from error


@functools.cache  # a sweep reads a thousand
def _adapter() -> pydantic.TypeAdapter[RunResult]:
    return pydantic.TypeAdapter(RunResult)


@dataclass(frozen=True)
class SweepJob:
    """A job of a sweep. ``title`` is its overrides, ``folder`` its run folder relative to the sweep's."""

    number: int
    title: str
    result: RunResult
    folder: str
