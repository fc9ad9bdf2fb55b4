# SPDX-License-Identifier: Apache-2.0
"""What a run found out, as plain data: ``result.json``. Reports, summaries and exit codes are made from it alone."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Annotated, Any

import pydantic

from fvhydra.config.problems import first_problem
from fvhydra.core.artifacts import ClipFacts, LatentComparison, LatentNumerics, PixelComparison
from fvhydra.core.baseline import BaselineMove
from fvhydra.core.bisection import Bisection
from fvhydra.core.clip_log import Story
from fvhydra.core.comparison import MetricComparison
from fvhydra.core.errors import UsageError
from fvhydra.core.parity import ParityComparison
from fvhydra.core.performance import PerfComparison, PerfMeasurement, PerfRatio
from fvhydra.core.port_state import PortState
from fvhydra.core.scores import MetricSummary
from fvhydra.core.trend import Trend
from fvhydra.core.verdict import Verdict

SCHEMA_VERSION = 2
"""Of ``result.json``: raised when a reader of the version before would misread it."""

ArtifactComparison = Annotated[PixelComparison | LatentComparison, pydantic.Field(discriminator="kind")]


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

    Attributes:
        seed: None where nobody recorded it.
        planned: What a prepared change is going to do with it, as ``to be added``; empty where nothing is planned.
        kept: Whether an earlier attempt at the same job finished it.
        comparison: What comparing with the reference gave; None where nothing was compared.
        numerics: Of latents: the reference's and the generated one's.
        clip: Of the clip that was generated; None for a latent.
        difference_map: ``.npy``, float32 ``[T, H, W]``: mean absolute difference over the channels of a latent.
        recipe_known: False when the reference has no sidecar: it is compared all the same, and nobody can say whether
            it should be.
        history: Where the reference comes from: its commits, newest first: ``revision, time, who, kind, reason``.
    """

    index: int
    prompt: str
    seed: int | None
    fingerprint: str
    verdict: Verdict
    message: str = ""
    planned: str = ""
    kept: bool = False
    kind: str = "pixel"
    artifact: str | None = None
    reference: str | None = None
    store_path: str | None = None
    comparison: ArtifactComparison | None = None
    numerics: LatentNumerics | None = None
    clip: ClipFacts | None = None
    difference_map: str | None = None
    recipe_known: bool = True
    criteria: list[Criterion] = field(default_factory=list)
    history: list[dict[str, str]] = field(default_factory=list)
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
class NextCommand:
    """A command that a person may want to run next.

    Attributes:
        purpose: What for, as ``To make the first references``.
        command: The whole line, as it can be typed.
    """

    purpose: str
    command: str


@dataclass
class ChangeStatus:
    """Where the change of a store that a run prepared stands.

    Attributes:
        store: Location of the store.
        files: How many files of it the change touches.
        published: The revision that it became; None while it is only prepared.
        said: Sentences on what became of it.
        publish: The command that publishes it; None when it is published.
    """

    store: str
    files: int
    published: str | None = None
    said: list[str] = field(default_factory=list)
    publish: NextCommand | None = None


@dataclass
class RunResult:
    """One run.

    Attributes:
        title: What tells this job from its neighbours in a sweep: the overrides that were swept.
        metrics: What an evaluation measured, as in ``summary.json``; its page is made of it, ``scores.jsonl`` and
            ``frames/``.
        environment_difference: Of two runs that were compared: what each was made with, ``reference`` for the one
            before and ``run`` for the one after. None where one of them does not say.
        comparisons: What comparing two evaluations found; its page is made of it and of ``pairs.jsonl``.
        bisection: What searching the history of an engine found; None where nothing was searched.
        performance: What comparing performance records with their baselines found.
        measurements: What was measured of speed and memory.
        ratios: The same of two sides that took turns.
        sides: What the two sides of a case are called.
        trends: Numbers over time, a line for each series and metric; its page is made of ``series.json``.
        baselines: How performance baselines are moved by the change that the run prepared.
        change: The change of a store that the run prepared; None where there is none.
        notes: Sentences for the person.
        next_commands: What the person may want to run next.
        parity: What comparing two engines found.
        port: How far the port of a model is.
        story: Of a job of several clips: what it came to.
        details: What only this op has to say, JSON.
    """

    op: str
    verdict: Verdict
    message: str = ""
    model: str = ""
    title: str = ""
    cases: list[CaseResult] = field(default_factory=list)
    metrics: list[MetricSummary] = field(default_factory=list)
    environment_difference: list[Difference] | None = field(default_factory=list)
    comparisons: list[MetricComparison] = field(default_factory=list)
    bisection: Bisection | None = None
    performance: list[PerfComparison] = field(default_factory=list)
    measurements: list[PerfMeasurement] = field(default_factory=list)
    ratios: list[PerfRatio] = field(default_factory=list)
    gates: list[GateResult] = field(default_factory=list)
    sides: tuple[str, str] = ("reference", "generated")
    trends: list[Trend] = field(default_factory=list)
    baselines: list[BaselineMove] = field(default_factory=list)
    change: ChangeStatus | None = None
    notes: list[str] = field(default_factory=list)
    next_commands: list[NextCommand] = field(default_factory=list)
    story: Story | None = None
    parity: ParityComparison | None = None
    port: PortState | None = None
    details: dict[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def from_json(cls, data: Any) -> RunResult:
        """The inverse of ``files.plain``; records of schema version 1 are brought up to date.

        Raises:
            UsageError: The record was damaged, or written by a newer version.
        """
        version = data.get("schema_version", 1) if isinstance(data, dict) else None
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise UsageError(
                f"The recorded result has schema version {version}; this fvhydra reads up to {SCHEMA_VERSION}.",
                "Install the version that wrote it.",
            )
        try:
            return _adapter().validate_python(_of_version_1(data) if version == 1 else data)
        except pydantic.ValidationError as error:
            raise UsageError(f"The recorded result is not one: {first_problem(error)}.") from error


def _of_version_1(data: dict[str, Any]) -> dict[str, Any]:
    """A record of schema version 1, which kept numerics and the state of a change in untyped objects."""
    details = data.get("details")
    if isinstance(details, dict) and "change" in details:
        rest = {key: value for key, value in details.items() if key not in ("change", "published")}
        change = {"store": details.get("store", ""), "files": 0, "published": details.get("published")}
        data = data | {"change": change, "details": rest}
    cases = data.get("cases")
    if isinstance(cases, list):
        data = data | {"cases": [_case_of_version_1(case) if isinstance(case, dict) else case for case in cases]}
    return data | {"schema_version": SCHEMA_VERSION}


def _case_of_version_1(case: dict[str, Any]) -> dict[str, Any]:
    numerics = case.get("numerics")
    if not isinstance(numerics, dict) or "generated" in numerics or "reference" in numerics:
        return case
    if "frames" in numerics:
        return case | {"numerics": None, "clip": numerics}
    return case | {"numerics": {"generated": numerics} if numerics else None}


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
