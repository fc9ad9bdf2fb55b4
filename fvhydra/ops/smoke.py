# SPDX-License-Identifier: Apache-2.0
"""``op=smoke``: whether a model loads as its weights declare, and gives what was asked for in kind and size."""

from __future__ import annotations

from collections.abc import Iterator

from fvhydra.core.case import Case
from fvhydra.core.checks import FAIL, NOT_RUN, PASS, Check, check
from fvhydra.core.filesystem import check_names
from fvhydra.core.port import SMOKE
from fvhydra.core.result import CaseResult, Criterion, RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.engines.base import GeneratedMedia
from fvhydra.engines.choice import check_engine, open_engine
from fvhydra.ops.base import Op
from fvhydra.ops.cases import decoded
from fvhydra.ops.context import Context
from fvhydra.ops.generation import engine_facts, load_request, record_cases
from fvhydra.ops.port_evidence import STATUS_OF, Shown, refuse_unagreed
from fvhydra.stores.layout import reference_path

AUDIO_TOLERANCE_S = 0.05
"""By how much sound may be longer or shorter than asked: encoders work in blocks."""


class Smoke(Op):
    """One real load and one generation, of the first prompt. It proves that a model loads, never that it is right."""

    def preflight(self, context: Context) -> None:
        """Resolve the prompt and its picture."""
        check_engine(context.config, here=context.config.launcher.same_environment)
        check_names(context.run.path / "artifacts", map(reference_path, context.cases[:1]))
        refuse_unagreed(context.config)

    def run(self, context: Context) -> RunResult:
        """Leave the checks, each passed, failed, or not run with the reason."""
        config, case = context.config, decoded(context.cases[0])
        record_cases(context, [case])
        engine = open_engine(config.engine, context.run.stdout_log)
        try:
            context.progress.stage("load", msg=f"{config.model.model_id} with {config.engine.name}")
            engine.load(load_request(config, [case]), context.progress)
            context.progress.stage("inspect", case.index, "class, modules, names and shapes of weights")
            found = engine.inspect(case)
            context.progress.stage("generate", case.index, case.prompt)
            media = engine.generate(case, context.progress)
            context.run.update_manifest(environment=engine_facts(engine, config))
        finally:
            engine.close()
        found += contract(case, media)
        verdict = verdict_of(found)
        result = CaseResult(
            index=case.index,
            prompt=case.prompt,
            seed=case.seed,
            fingerprint=case.fingerprint,
            verdict=verdict,
            message=_said(found),
            criteria=[_criterion(each) for each in found],
            seconds=media.seconds,
        )
        return RunResult(self.config.name, verdict, _said(found), config.model.name, cases=[result])

    def shown_of_port(self, context: Context, result: RunResult) -> list[Shown]:
        """The checks, as the gate ``smoke``."""
        if result.verdict not in STATUS_OF:
            return []
        checks = [each for case in result.cases for each in case.criteria]
        numbers = {"checks": len(checks), "passed": sum(each.passed for each in checks)}
        return [Shown(SMOKE, STATUS_OF[result.verdict], result.message, numbers)]


def contract(case: Case, media: GeneratedMedia) -> Iterator[Check]:
    """Whether what was decoded has the kind, sizes and rates that the case asks for."""
    if case.model.modality == "video":
        yield from _video(case, media)
    if media.audio is not None or case.model.modality == "audio":
        yield _audio(case, media)


def verdict_of(checks: list[Check]) -> Verdict:
    """A failed check is a regression; one that was not run leaves it open."""
    outcomes = {each.outcome for each in checks}
    if FAIL in outcomes:
        return Verdict.REGRESSION
    return Verdict.INCONCLUSIVE if NOT_RUN in outcomes else Verdict.PASS


def _video(case: Case, media: GeneratedMedia) -> Iterator[Check]:
    sampling = case.sampling
    if media.frames is None:
        yield check("frames", False, "none", "a clip")
        return
    count, height, width, channels = media.frames.shape
    wanted = None if sampling.num_frames is None else sampling.num_frames - case.model.constraints.frames_dropped
    yield check("frames", wanted in (None, count), str(count), "any" if wanted is None else str(wanted))
    size = (sampling.height or height, sampling.width or width, 3)
    given = (height, width, channels)
    yield check("size", given == size, " x ".join(map(str, given)), " x ".join(map(str, size)))
    yield check("rate", media.fps == float(sampling.fps), f"{media.fps:g} fps", f"{sampling.fps:g} fps")


def _audio(case: Case, media: GeneratedMedia) -> Check:
    """Sound is as long as was asked for, or as the clip that it goes with."""
    wanted_s = case.sampling.audio_s
    if wanted_s is None and media.frames is not None and media.fps:
        wanted_s = len(media.frames) / media.fps
    allowed = "any length" if wanted_s is None else f"{wanted_s:.3f} s, within {AUDIO_TOLERANCE_S:g}"
    if media.audio is None or not media.audio_rate:
        return check("sound", False, "none, or of no rate", allowed)
    seconds = media.audio.shape[-1] / media.audio_rate
    fits = wanted_s is None or abs(seconds - wanted_s) <= AUDIO_TOLERANCE_S
    return check("sound", fits, f"{seconds:.3f} s at {media.audio_rate} Hz", allowed)


def _criterion(each: Check) -> Criterion:
    given = f"not run: {each.given}" if each.outcome == NOT_RUN else each.given
    return Criterion(each.name, each.outcome == PASS, given, each.allowed)


def _said(checks: list[Check]) -> str:
    names = {outcome: [each.name for each in checks if each.outcome == outcome] for outcome in (PASS, FAIL, NOT_RUN)}
    said = f"{len(names[PASS])} of {len(checks)} checks passed"
    said += f"; failed: {', '.join(names[FAIL])}" if names[FAIL] else ""
    said += f"; not run: {', '.join(names[NOT_RUN])}" if names[NOT_RUN] else ""
    return f"{said}."
