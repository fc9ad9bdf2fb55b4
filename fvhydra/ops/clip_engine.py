# SPDX-License-Identifier: Apache-2.0
"""The engine of a job: in a process of its own, loaded when it is first needed, and stopped when it takes too long."""

from __future__ import annotations

import time
from dataclasses import replace
from types import TracebackType

from fvhydra.core.case import Case
from fvhydra.core.errors import EngineHung, InfrastructureError
from fvhydra.engines.base import GeneratedMedia
from fvhydra.engines.hosted import HostedEngine
from fvhydra.ops.context import Context
from fvhydra.ops.generation import engine_facts, load_request

GUARDRAIL = "guardrails.max_clip_seconds"


class ClipEngine:
    """Generates the clips of a job within their limits. Use it as a context: whatever happens, its process ends.

    It is in a process of its own whatever ``engine=`` says, because nothing else can be stopped while it is inside
    native code.

    Args:
        context: The job.
        clip_s: Longest time for one clip, s.
        budget_s: Longest time for everything from now on, s.
    """

    def __init__(self, context: Context, clip_s: float, budget_s: float) -> None:
        self._context = context
        self._clip_s, self._budget_s = clip_s, budget_s
        self._began = time.monotonic()
        self._engine: HostedEngine | None = None
        self._with_image = False
        self.facts: dict[str, str] = {}
        """Provenance of what is generated: facts of the machine and of the engine, flat."""

    def __enter__(self) -> ClipEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def left_s(self) -> float:
        """What is left of the whole budget, s."""
        return max(self._budget_s - (time.monotonic() - self._began), 0.0)

    def load(self, case: Case) -> float | None:
        """Make the model ready for a clip, unless it is: with a first frame another pipeline is needed than without.

        Returns:
            Seconds that it took; None where nothing had to be loaded.

        Raises:
            EngineHung, UsageError, InfrastructureError: As :meth:`generate`.
        """
        with_image = case.image is not None
        if self._engine is not None and self._with_image == with_image:
            return None
        began = time.monotonic()
        self.close()  # two pipelines need not fit beside each other
        config, progress = self._context.config, self._context.progress
        self._engine = HostedEngine(replace(config.engine, isolate=True), self._context.run.stdout_log)
        self._with_image = with_image
        self._engine.limit_s, self._engine.limit_key = self._limit(None)
        progress.stage("load", msg=f"{config.model.model_id} with {config.engine.name}")
        self._engine.load(load_request(config, [case]), progress)
        self.facts = engine_facts(self._engine, config)
        if config.tier.perturb_weights:
            self.facts["tier.perturb_weights"] = str(config.tier.perturb_weights)
        return time.monotonic() - began

    def generate(self, case: Case) -> GeneratedMedia:
        """Generate one clip, with what :meth:`load` made ready for it.

        Raises:
            EngineHung: It took longer than it may, and its process was ended; or the whole budget is spent.
            UsageError, InfrastructureError: What the engine says, or how its process ended.
        """
        assert self._engine is not None  # load comes first
        self._engine.limit_s, self._engine.limit_key = self._limit(self._clip_s)
        return self._engine.generate(case, self._context.progress)

    def close(self) -> None:
        """End the engine's process."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def _limit(self, most_s: float | None) -> tuple[float, str]:
        """Longest time for what comes next, s, and the key that sets it."""
        if not self.left_s:
            raise EngineHung(
                f"The job has used up its {self._budget_s:g} s, {GUARDRAIL} for each of its clips.",
            )
        own = self._context.config.engine.timeout_s
        limit_s = self.left_s if most_s is None else min(self.left_s, most_s)
        return (limit_s, GUARDRAIL) if own is None or limit_s <= own else (own, "engine.timeout_s")


def why(error: InfrastructureError, max_clip_seconds: float) -> str:
    """A sentence on why a clip was not made, which says so where a guardrail stopped it."""
    if isinstance(error, EngineHung) and GUARDRAIL in error.hint:
        return f"{error.message} ({GUARDRAIL}={max_clip_seconds:g})"
    return error.message
