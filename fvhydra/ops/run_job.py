# SPDX-License-Identifier: Apache-2.0
"""``op=run_job``: the clips of a story one after the other, each from the last frame of the one before."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fvhydra.config.root import Config
from fvhydra.core import files, hub_cache
from fvhydra.core.clip_log import Story
from fvhydra.core.errors import InfrastructureError, UsageError
from fvhydra.core.result import CaseResult, RunResult
from fvhydra.core.run import RunFolder
from fvhydra.core.verdict import Verdict
from fvhydra.engines.choice import check_engine
from fvhydra.ops.base import Op
from fvhydra.ops.clip_engine import ClipEngine, why
from fvhydra.ops.clip_times import expected
from fvhydra.ops.clips import beginning, kept, make
from fvhydra.ops.context import Context, Prepared
from fvhydra.ops.job_inputs import JobInputs
from fvhydra.ops.job_plan import JobPlan, job_data, job_name, plan_job

if TYPE_CHECKING:
    from fvhydra.media.stitch import Joined

STITCHED = "final_stitched.mp4"


class RunJob(Op):
    """Generate the clips of a job, and join them."""

    resumable = True

    def preflight(self, context: Context) -> None:
        """Read the job, see whether the engine can do it, and whether a folder that is given is of the same job."""
        _plan(context.prepared)
        told = context.run.manifest.get("job") if RunFolder.is_at(context.run.path) else None
        if isinstance(told, dict) and told.get("base") != _base(context.config):
            raise UsageError(
                f"run={context.run.path} is a run of another job, or with another model, engine, backend, tier, GPU or "
                "seed.",
                "Leave run= out: the newest run of this job is gone on with, where there is one.",
            )
        check_engine(context.config, here=context.config.launcher.same_environment)

    def folder(self, config: Config) -> str:
        """Runs of a job are together, whichever model they are of."""
        return job_name(config)

    def earlier_run(self, config: Config, root: Path) -> RunFolder | None:
        """The newest run of the same job with the same model, engine and seed: what is missing there is made there."""
        here = _base(config)
        for folder in sorted((root / self.folder(config)).glob("*"), reverse=True):
            run = RunFolder(folder)
            try:
                told = run.manifest.get("job") if RunFolder.is_at(folder) else None
                if isinstance(told, dict) and told.get("base") == here:
                    return run
            except UsageError:  # damaged; it stays as it is
                continue
        return None

    def inputs(self, prepared: Prepared) -> dict[str, str]:
        """The job's own file, and its pictures, by content."""
        try:
            plan = _plan(prepared)
        except UsageError:  # the checks of the job say so
            return {}
        given = {clip.case.image: clip.case.image_sha256 for clip in plan.clips if clip.case.image is not None}
        pictures = {str(image): str(digest) for image, digest in given.items()}
        return {"job": files.sha256_bytes(files.canonical_json(plan.spec).encode()), **pictures}

    def job_inputs(self, context: Context) -> JobInputs:
        """The job in the configuration, and its pictures."""
        data, _, _ = job_data(context.config)
        plan = _plan(context.prepared)
        clips = []
        for clip, written in zip(plan.clips, data["clips"], strict=True):
            image = clip.case.image
            chain = {"chain": f"image:{image.absolute()}"} if image is not None and clip.begins_with == "image" else {}
            clips.append(written | chain)
        first = plan.clips[0].case.image
        begin = {"init_image": str(first.absolute())} if first and plan.clips[0].begins_with == "init_image" else {}
        config = replace(context.config, job=data | begin | {"clips": clips}, job_file=None, image=None)
        pictures = {clip.case.image.absolute() for clip in plan.clips if clip.case.image is not None}
        return JobInputs(config, dict.fromkeys(sorted(pictures)))

    def plan(self, context: Context) -> RunResult:
        """Every clip with its size, seed, what it begins with and its files, and the guardrails."""
        plan = _plan(context.prepared)
        cases = []
        for clip in plan.clips:
            case, sampling = clip.case, clip.case.sampling
            begins = clip.begins_with if clip.after is None else f"the last frame of {plan.clips[clip.after].id}"
            size = f"{sampling.height or '?'}x{sampling.width or '?'}, {sampling.num_frames or '?'} frames"
            said = f"{clip.id}: {size} at {sampling.fps} fps, seed {case.seed}, begins with {begins}; {clip.path}"
            cases.append(CaseResult(clip.index, case.prompt, case.seed, case.fingerprint, Verdict.DONE, said))
        guard = plan.spec.guardrails.max_clip_seconds
        message = f"{len(cases)} clip(s) of {plan.spec.name}; at most {guard:g} s each, {plan.budget_s:g} s in all."
        root = Path(context.config.runtime.output_dir) / self.config.name
        samplings = [dataclasses.asdict(clip.case.sampling) for clip in plan.clips]
        if told := expected(root, _about(context.config), samplings):
            message += f" All of them would take about {told[0]:.3g} s, by {told[1]} earlier clip(s)."
        return RunResult(self.config.name, Verdict.DONE, message, context.config.model.name, cases=cases)

    def run(self, context: Context) -> RunResult:
        """Make what is missing, clip by clip; then join all."""
        plan, run = _plan(context.prepared), context.run
        _record(context, plan)
        limits = plan.spec.guardrails
        results: list[CaseResult] = []
        with ClipEngine(context, limits.max_clip_seconds, plan.budget_s) as engine:
            for clip in plan.clips:
                begin = beginning(run, clip)
                result = kept(context, begin)
                if result is None:
                    said = f"({clip.index + 1} of {len(plan.clips)}) {clip.id}: {clip.case.prompt}"
                    context.progress.stage("generate", clip.index, said)
                    run.live.part(clip.index, len(plan.clips))  # here, because clips that are kept take no time
                    run.live.note(job=plan.spec.name)
                    run.live.budget(plan.budget_s, engine.left_s)
                    try:
                        result = make(context, begin, engine, clip.repeats)
                    except InfrastructureError as error:
                        return self._stopped(context, plan, results, error)
                    run.live.part(clip.index + 1, len(plan.clips))
                results.append(result)
            if engine.facts:
                run.update_manifest(environment=engine.facts)
        context.progress.stage("stitch")
        joined = _stitch(context, plan)
        return RunResult(
            op=self.config.name,
            model=context.config.model.name,
            verdict=Verdict.DONE,
            message=f"{len(results)} clip(s), {joined.frames} frames in {STITCHED}.",
            cases=results,
            story=Story(plan.spec.name, len(plan.clips), STITCHED, joined.frames, joined.fps, _begins(plan, results)),
        )

    def _stopped(
        self, context: Context, plan: JobPlan, done: Sequence[CaseResult], error: InfrastructureError
    ) -> RunResult:
        """The result of a job one of whose clips could not be made: what there is stays, and is said to be a part."""
        clip = plan.clips[len(done)]
        message = why(error, plan.spec.guardrails.max_clip_seconds)
        failed = CaseResult(
            clip.index, clip.case.prompt, clip.case.seed, clip.case.fingerprint, Verdict.INFRASTRUCTURE, message
        )
        return RunResult(
            op=self.config.name,
            model=context.config.model.name,
            verdict=Verdict.INFRASTRUCTURE,
            message=f"{len(done)} of {len(plan.clips)} clip(s); {clip.id} was not made: {message}",
            cases=[*done, failed],
            notes=[error.hint] if error.hint else [],
            story=Story(plan.spec.name, len(plan.clips)),
        )


def _plan(prepared: Prepared) -> JobPlan:
    return prepared.own.once("job", lambda: plan_job(prepared.config))


def _about(config: Config) -> dict[str, Any]:
    """What clips are made with."""
    return {
        "model": config.model.name,
        "engine": config.engine.name,
        "backend": config.backend.folder,
        "tier": files.plain(config.tier),
        "gpu": [config.gpu.name, config.gpu.count],
    }


def _base(config: Config) -> str:
    """What two runs of a job have in common that are the same, whatever became of its clips since."""
    same = _about(config) | {"job": job_name(config), "seed": config.seed}
    return files.sha256_bytes(files.canonical_json(same).encode())


def _record(context: Context, plan: JobPlan) -> None:
    """Write the clips into the manifest before the first of them is made."""
    clips = [
        {
            "index": clip.index,
            "id": clip.id,
            "prompt": clip.case.prompt,
            "seed": clip.case.seed,
            "recipe": clip.case.recipe,
            "begins_with": clip.begins_with,
            "after": clip.after,
        }
        for clip in plan.clips
    ]
    job: dict[str, Any] = {"name": plan.spec.name, "base": _base(context.config), "spec": plan.spec}
    job["about"] = _about(context.config)
    context.run.update_manifest(cases=clips, job=job | {"budget_s": plan.budget_s, "hub_cache": hub_cache.folders()})


def _begins(plan: JobPlan, results: Sequence[CaseResult]) -> list[int]:
    """The frame of the whole that each clip begins at."""
    begins, at = [], 0
    for clip, result in zip(plan.clips, results, strict=True):
        begins.append(at)
        at += (result.clip.frames if result.clip else 0) - int(clip.repeats)
    return begins


def _stitch(context: Context, plan: JobPlan) -> Joined:
    """Join the clips, each without the frame that the one before ended with."""
    from fvhydra.media.stitch import Part, stitch

    run = context.run
    parts = [Part(run.path / clip.path, int(clip.repeats)) for clip in plan.clips]
    path = run.path / STITCHED
    try:
        joined = stitch(path, parts)
    except UsageError as error:
        raise InfrastructureError(error.message, error.hint) from error
    recipe = files.canonical_json([clip.case.recipe for clip in plan.clips])
    run.record_artifact(
        {
            "path": STITCHED,
            "sha256": files.sha256_file(path),
            "bytes": path.stat().st_size,
            "fingerprint": files.sha256_bytes(recipe.encode()),
            "clips": [{"path": run.relative(part.path), "left_out": part.skip} for part in parts],
            **files.plain(joined),
        }
    )
    return joined
