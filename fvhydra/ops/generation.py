# SPDX-License-Identifier: Apache-2.0
"""Running the engine over the cases of a run, and writing what it made as artifacts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from fvhydra.config.root import Config
from fvhydra.core import files
from fvhydra.core.architecture import architecture_of
from fvhydra.core.artifacts import ClipFacts
from fvhydra.core.case import Case
from fvhydra.core.errors import FvhydraError, InfrastructureError
from fvhydra.core.result import CaseResult
from fvhydra.core.run import RunFolder
from fvhydra.engines.base import Engine, GeneratedMedia, LoadRequest
from fvhydra.engines.choice import check_engine, devices_of, open_engine
from fvhydra.media import latent
from fvhydra.ops.context import Context
from fvhydra.ops.finished import FinishedCase, keep, take_over

T = TypeVar("T")


@dataclass(frozen=True)
class Generated:
    """A case with what it produced.

    Attributes:
        artifact: The file, at its reference path below ``artifacts/`` of the run folder.
        environment: Provenance: facts of the machine and of the engine, flat.
        procedural: Whether the engine made it up, with no weights of a model.
        entry: The artifact's entry in the manifest.
        files: Every file of the case so far; whoever writes another adds it.
    """

    case: Case
    artifact: Path
    media: GeneratedMedia
    environment: dict[str, str]
    procedural: bool = False
    entry: dict[str, Any] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)


Conclude = Callable[[Context, Generated], T]
"""What is found out of a case that was generated."""


def record_cases(context: Context, cases: Sequence[Case]) -> None:
    """Write the cases into the manifest before the first of them is generated."""
    context.run.update_manifest(
        cases=[
            {"index": case.index, "prompt": case.prompt, "seed": case.seed, "fingerprint": case.fingerprint}
            | {"recipe": case.recipe, "sample": case.sample}
            for case in cases
        ]
    )


def generate(context: Context, cases: Sequence[Case], paths: dict[int, str]) -> Iterator[Generated]:
    """Generate the cases, see :func:`generate_each`, and give each when it is written."""
    return generate_each(context, cases, paths, lambda _, made: made)


def generate_each(
    context: Context,
    cases: Sequence[Case],
    paths: dict[int, str],
    conclude: Conclude[T],
    overlap: bool = True,
) -> Iterator[T]:
    """Generate the cases one by one. While one is generated, the one before it is encoded, hashed and concluded.

    So two are in memory at a time. What was generated is concluded in any case, also when the next one fails or is
    cancelled; an error says which case it is of.

    Args:
        paths: Reference path for each ``case.index``; the artifact goes below ``artifacts/`` of the run folder.
        conclude: What is made of a case when it is written; called in one thread, case after case. Its context is the
            given one, but that the display stays with the case that is being generated.
        overlap: False: a case is concluded before the next one begins, for those who may want no other.

    Yields:
        What ``conclude`` returned, in the order of the cases.

    Raises:
        UsageError, InfrastructureError: What the engine says, or why a case could not be written; artifacts that are
            finished stay.
    """
    if not cases:
        return
    config, progress = context.config, context.progress
    check_engine(config, here=True, machine=True)
    engine = open_engine(config.engine, context.run.stdout_log)
    try:
        progress.stage("load", msg=f"{config.model.model_id} with {config.engine.name}")
        engine.load(load_request(config, cases), progress)
        facts = engine_facts(engine, config)
        if config.tier.perturb_weights:  # not in the recipe, so that a gate can fail; here, so that nobody is misled
            facts["tier.perturb_weights"] = str(config.tier.perturb_weights)
        context.run.update_manifest(environment=facts)

        def finish(context: Context, case: Case, media: GeneratedMedia) -> T:
            path = context.run.path / "artifacts" / paths[case.index]
            with _naming(case):
                entry = _artifact(context.run, path, case, media)
            return conclude(context, Generated(case, path, media, facts, engine.capabilities.procedural, entry, [path]))

        with ThreadPoolExecutor(1, "finish") as thread:
            before: Future[T] | None = None
            for position, case in enumerate(cases, 1):
                progress.stage("generate", case.index, f"({position} of {len(cases)}) {case.prompt}")
                try:
                    media = engine.generate(case, progress)
                except BaseException:
                    if before is not None:
                        engine.close()  # an interrupted command gives the GPU back at once
                        yield before.result()
                    raise
                if before is not None:
                    yield before.result()
                progress.stage("encode", case.index)
                alone = position == len(cases) or not overlap
                before = thread.submit(finish, context if alone else context.aside(), case, media)
                del media
                if not overlap:
                    yield before.result()
                    before = None
            if before is not None:
                yield before.result()
    finally:
        engine.close()


def engine_facts(engine: Engine, config: Config) -> dict[str, str]:
    """What an engine that is loaded runs with, flat; the facts of GPUs only where it was given any."""
    on_gpu = devices_of(config) > 0 and not engine.capabilities.procedural
    return engine.environment(gpu=on_gpu) | flat(engine.facts())


def load_request(config: Config, cases: Sequence[Case]) -> LoadRequest:
    """What an engine has to make ready for these cases of a job."""
    return LoadRequest(
        model=config.model,
        sampling=config.sampling,
        backend=config.backend,
        tier=config.tier,
        gpu=replace(config.gpu, count=devices_of(config)),
        cache_dir=files.given_path(config.runtime.cache_dir),
        threads=config.runtime.threads,
        with_image=any(case.image is not None for case in cases),
        architecture=architecture_of(config.model) if config.tier.weights == "synthetic" else None,
    )


def finish_cases(
    context: Context,
    cases: Sequence[Case],
    paths: dict[int, str],
    conclude: Conclude[CaseResult],
    basis: Mapping[int, str] | None = None,
    overlap: bool = True,
) -> Iterator[CaseResult]:
    """Generate cases, conclude something of each, and keep both, so that a later attempt goes on after the last one.

    Args:
        paths: As for :func:`generate_each`.
        conclude: What is found out of a case, by comparing or reviewing it. Adds the files that it writes to
            ``Generated.files``.
        basis: What each case is concluded from beside itself, such as the digest of its reference.
        overlap: As for :func:`generate_each`.

    Yields:
        First the cases that an earlier attempt in this folder finished, then the others as they are finished.
    """
    decisive = basis or {}
    taken = take_over(context, cases, decisive)
    finished = len(taken)
    context.run.live.part(finished, len(cases))
    yield from taken.values()

    def kept(context: Context, made: Generated) -> CaseResult:
        nonlocal finished
        result = conclude(context, made)
        listed = {context.run.relative(path): files.sha256_file(path) for path in made.files}
        job, about = context.fingerprint(), decisive.get(made.case.index, "")
        keep(context, FinishedCase(job, about, result, listed, made.entry, made.environment))
        finished += 1
        context.run.live.part(finished, len(cases))
        return result

    left = [case for case in cases if case.index not in taken]
    yield from generate_each(context, left, paths, kept, overlap)


@contextlib.contextmanager
def _naming(case: Case) -> Iterator[None]:
    """Errors of the block say which case they are of: the engine is at another one by then."""
    try:
        yield
    except FvhydraError as error:
        error.message = f"Case {case.index} was generated and could not be written: {error.message}"
        raise
    except Exception as error:
        error.add_note(f"Case {case.index} was generated and could not be written.")
        raise


def _artifact(run: RunFolder, path: Path, case: Case, media: GeneratedMedia) -> dict[str, Any]:
    """Write what a case produced, and its entry in the manifest."""
    write_artifact(path, case, media)
    facts: dict[str, Any] = {"arguments": media.arguments, "dropped": media.dropped}
    if media.memory_mb:
        facts["memory_mb"] = {name: round(peak, 1) for name, peak in media.memory_mb.items()}
    return run.add_artifact(path, case.index, case.fingerprint, **facts)


def write_artifact(path: Path, case: Case, media: GeneratedMedia) -> None:
    """Write what a case produced as the file that its model is compared by: a latent bundle, or a clip with its sound.

    Raises:
        InfrastructureError: The engine gave none.
    """
    if case.model.artifact == "latent":
        if media.latent is None or case.model.latent is None:
            raise InfrastructureError(f"engine={case.engine} gave no latent for model={case.model.name}.")
        metadata = {
            "prompt": case.prompt,
            "model_id": case.model.model_id,
            "attention_backend": case.backend.folder,
            "num_inference_steps": case.sampling.num_inference_steps,
            "guidance_scale": case.sampling.guidance_scale,
            "seed": case.seed,
            "height": case.sampling.height,
            "width": case.sampling.width,
            "num_frames": case.sampling.num_frames,
            "fps": case.sampling.fps,
            "fingerprint": case.fingerprint,
        }
        latent.save_bundle(
            path, media.latent, media.latent_dtype or "torch.float32", case.model.latent.slice_kind, metadata
        )
    else:
        if media.frames is None:
            raise InfrastructureError(f"engine={case.engine} gave no frames for model={case.model.name}.")
        from fvhydra.media.encode import encode  # here, because looking at a configuration must not load a codec

        fps = media.fps or case.sampling.fps
        encode(path, media.frames, fps, audio=media.audio, audio_rate=media.audio_rate)


def clip_facts(made: Generated) -> ClipFacts | None:
    """What a player needs to know of a clip; None for a latent."""
    fps = made.media.fps or made.case.sampling.fps
    if made.media.frames is None or fps is None:
        return None
    frames, height, width, _ = made.media.frames.shape
    return ClipFacts(frames, height, width, fps)


def flat(facts: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested facts as one level of strings, joined by dots."""
    found: dict[str, str] = {}
    for key, value in facts.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        elif value is not None:
            found[f"{prefix}{key}"] = str(value)
    return found
