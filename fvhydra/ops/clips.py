# SPDX-License-Identifier: Apache-2.0
"""One clip of a job: made, written, recorded; or taken over from an earlier attempt."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fvhydra.core import files
from fvhydra.core.clip_log import ClipLog, ClipLooks, Conditioning, FrameFile, log_path, read_clip_log
from fvhydra.core.environment import now
from fvhydra.core.errors import EngineHung, InfrastructureError, UsageError
from fvhydra.core.result import CaseResult
from fvhydra.core.run import RunFolder
from fvhydra.core.text import printable
from fvhydra.core.verdict import Verdict
from fvhydra.ops.clip_engine import ClipEngine
from fvhydra.ops.context import Context
from fvhydra.ops.finished import FinishedCase, earlier_cases, keep, take
from fvhydra.ops.generation import Generated, clip_facts
from fvhydra.ops.job_plan import PlannedClip

if TYPE_CHECKING:
    from fvhydra.engines.base import GeneratedMedia
    from fvhydra.media.picture import Frame


@dataclass(frozen=True)
class Beginning:
    """What a clip begins with, as a file of the run folder."""

    clip: PlannedClip
    conditioning: Conditioning


def beginning(run: RunFolder, clip: PlannedClip) -> Beginning:
    """Put the picture that a clip begins with into the run folder.

    The last frame of another clip is there already, as the engine produced it. Pictures of the person are copied byte
    by byte, so that the folder can be moved.
    """
    if clip.begins_with == "none":
        return Beginning(clip, Conditioning("none"))
    if clip.after is not None:
        path = run.path / last_frame_path(clip.after)
    elif clip.case.image is not None:
        name = "init_image" if clip.begins_with == "init_image" else f"image_{clip.index:03}"
        path = run.path / "frames" / f"{name}{clip.case.image.suffix.lower()}"
        files.copy(clip.case.image, path)
    else:
        path = run.path / "frames" / "init_image.png"
        _make_up(path, clip)
    frame = _recorded(run, path)
    return Beginning(clip.beginning_with(path), Conditioning(clip.begins_with, clip.after, frame))


def _make_up(path: Path, clip: PlannedClip) -> None:
    from fvhydra.media.picture import made_up_picture, write_png

    sampling = clip.case.sampling
    write_png(path, made_up_picture(sampling.height or 480, sampling.width or 832, clip.case.seed))


def last_frame_path(index: int) -> str:
    """Where the last frame of a clip is in the run folder."""
    return f"frames/last_frame_{index:03}.png"


def _recorded(run: RunFolder, path: Path, frame: Frame | None = None) -> FrameFile:
    pixels = None if frame is None else files.sha256_bytes(frame.tobytes())
    return FrameFile(run.relative(path), files.sha256_file(path), pixels)


def kept(context: Context, begin: Beginning) -> CaseResult | None:
    """The clip as an earlier attempt in this folder made it, when it is the same one and its files are as they were."""
    if not context.config.resume:
        return None
    case = begin.clip.case
    for attempt, finished in earlier_cases(context.run):
        result = finished.result
        if (result.index, result.fingerprint) == (case.index, case.fingerprint) and take(context, attempt, finished):
            return result
    return None


def make(context: Context, begin: Beginning, engine: ClipEngine, joined: bool) -> CaseResult:
    """Make one clip: the file, its first and last frame, its record. The record is complete when all else is.

    Args:
        context: The job.
        begin: The clip.
        engine: Makes it.
        joined: Whether it will be joined without its first frame, so that its second must be decodable by itself.

    Raises:
        UsageError, InfrastructureError, KeyboardInterrupt: There is no clip; the record says why.
    """
    run, case = context.run, begin.clip.case
    log = ClipLog(
        index=case.index,
        id=begin.clip.id,
        state="running",
        prompt=case.prompt,
        negative_prompt=case.negative_prompt,
        seed=case.seed,
        fingerprint=case.fingerprint,
        conditioning=begin.conditioning,
        sampling=case.recipe["sampling"],  # without the model's own seed and negative prompt, which stand above
        attempts=1 + _attempts(run, case.index, case.fingerprint),
        started=now(),
    )
    files.write_json(run.path / log_path(case.index), log)
    try:
        if (load_s := engine.load(case)) is not None:
            log.seconds["load_s"] = load_s
        started = time.monotonic()
        media = engine.generate(case)
        context.progress.stage("encode", case.index)
        try:
            result = _written(context, begin, engine, log, media, joined, started)
        except UsageError as error:  # the disk is full: the request was fine
            raise InfrastructureError(error.message, error.hint) from error
    except BaseException as error:
        log.state, log.error, log.ended = _state(error), printable(str(error)) or type(error).__name__, now()
        files.write_json(run.path / log_path(case.index), log)
        raise
    return result


def _attempts(run: RunFolder, index: int, fingerprint: str) -> int:
    """How often earlier attempts began this very clip."""
    attempts = run.path / "attempts"
    folders = [path for path in attempts.iterdir() if path.name.isdecimal()] if attempts.is_dir() else []
    logs = (read_clip_log(folder, index) for folder in folders)
    return max((log.attempts for log in logs if log and log.fingerprint == fingerprint), default=0)


def _state(error: BaseException) -> str:
    if isinstance(error, EngineHung):
        return "stopped"
    return "failed" if isinstance(error, Exception) else "interrupted"


def _written(
    context: Context,
    begin: Beginning,
    engine: ClipEngine,
    log: ClipLog,
    media: GeneratedMedia,
    joined: bool,
    started: float,
) -> CaseResult:
    from fvhydra.media.encode import encode
    from fvhydra.media.picture import read_image, write_png
    from fvhydra.similarity.drift import looks, mean_difference

    run, clip = context.run, begin.clip
    case, frames = clip.case, media.frames
    if frames is None or not len(frames):
        raise InfrastructureError(f"engine={case.engine} gave no frames for clip {case.index}.")
    path = run.path / clip.path
    fps = media.fps or case.sampling.fps
    encode(path, frames, fps, media.audio, media.audio_rate, key_frames=(1,) if joined else ())
    first, last = run.path / "frames" / f"first_frame_{case.index:03}.png", run.path / last_frame_path(case.index)
    write_png(first, frames[0])
    write_png(last, frames[-1])
    log.first_frame, log.last_frame = _recorded(run, first, frames[0]), _recorded(run, last, frames[-1])
    if log.conditioning.frame is not None:
        given = read_image(run.path / log.conditioning.frame.path)
        log.conditioning.frame.pixels_sha256 = files.sha256_bytes(given.tobytes())
        log.conditioning.difference = mean_difference(given, frames[0])
    log.looks = ClipLooks(**vars(looks(frames)))
    log.arguments, log.dropped, log.audio_rate = media.arguments, media.dropped, media.audio_rate
    log.environment = engine.facts
    made = Generated(case, path, media, engine.facts)
    log.facts = clip_facts(made)
    facts_of_call = {"arguments": media.arguments, "dropped": media.dropped}
    entry = run.add_artifact(path, case.index, case.fingerprint, **facts_of_call)
    log.clip = {key: entry[key] for key in ("path", "sha256", "bytes")}
    log.memory_mb = media.memory_mb
    log.seconds |= media.seconds | {"clip_s": time.monotonic() - started}
    log.state, log.ended = "done", now()
    files.write_json(run.path / log_path(case.index), log)
    result = CaseResult(
        index=case.index,
        prompt=case.prompt,
        seed=case.seed,
        fingerprint=case.fingerprint,
        verdict=Verdict.DONE,
        artifact=run.relative(path),
        clip=log.facts,
        seconds=log.seconds,
    )
    listed = [path, first, last, run.path / log_path(case.index)]
    digests = {run.relative(file): files.sha256_file(file) for file in listed}
    keep(context, FinishedCase(context.fingerprint(), "", result, digests, entry, engine.facts))
    return result
