# SPDX-License-Identifier: Apache-2.0
"""From ``job=`` or ``job_file=`` to the clips that are to be made."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fvhydra.config import size_rules
from fvhydra.config.job import GENERATED, ClipSpec, JobSpec, place, read_job
from fvhydra.config.problems import listing
from fvhydra.config.root import Config
from fvhydra.config.sampling import Sampling
from fvhydra.config.schema import conf_dir
from fvhydra.core import files, untrusted
from fvhydra.core.case import Case
from fvhydra.core.errors import UsageError
from fvhydra.ops.cases import IMAGE_BYTES

_SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class PlannedClip:
    """A clip that is to be made.

    Attributes:
        id: What the job calls it.
        case: What is generated; its ``image`` is set only where a file of the person's begins the clip.
        begins_with: ``none``, ``init_image``, ``image`` or ``clip``.
        after: Index of the clip whose last frame it begins with; None where it begins with something else.
    """

    index: int
    id: str
    case: Case
    begins_with: str
    after: int | None = None

    @property
    def path(self) -> str:
        """Where it is in the run folder."""
        return f"clips/clip_{self.index:03}.mp4"

    @property
    def repeats(self) -> bool:
        """Whether its first frame is the last one of the clip right before it."""
        return self.after is not None and self.after == self.index - 1

    def beginning_with(self, image: Path | None) -> PlannedClip:
        """The same clip with the picture that it begins with."""
        digest = None if image is None else files.sha256_file(image)
        return replace(self, case=replace(self.case, image=image, image_sha256=digest))


@dataclass(frozen=True)
class JobPlan:
    """A job, checked.

    Attributes:
        spec: As it was written.
        clips: In their order.
        source: Where it was written, for messages.
    """

    spec: JobSpec
    clips: list[PlannedClip]
    source: str

    @property
    def budget_s(self) -> float:
        """Longest time for the whole job, s."""
        return self.spec.guardrails.max_clip_seconds * len(self.clips)


def job_data(config: Config) -> tuple[Any, str, Path]:
    """The job as it was written, JSON types; where that was; and the folder that its relative paths begin at.

    Raises:
        UsageError: There is none, there are two, or the file cannot be read.
    """
    if config.job_file is None:
        if config.job is None:
            raise UsageError(
                "op=run_job needs a job.",
                "Name one (job=example_mock, job=astronaut), or a file of yours: job_file=story.yaml.",
            )
        return config.job, "job", conf_dir() / "job"
    if config.job is not None:
        raise UsageError("job= and job_file= are both given.", "Leave one of them away.")
    path = files.given_path(config.job_file)
    if path.suffix not in _SUFFIXES:
        raise UsageError(f"job_file={path} has an unknown extension; allowed: {', '.join(_SUFFIXES)}.")
    read = untrusted.read_json if path.suffix == ".json" else untrusted.read_yaml
    data = read(path, "job file")
    if isinstance(data, dict):
        data = {key: value for key, value in data.items() if key != "$schema"}  # for editors
    return data, f"job_file={config.job_file}", path.parent


def job_name(config: Config) -> str:
    """The name of the job; of one that is wrong, which is said later, whatever can be used as such."""
    data, _, _ = job_data(config)
    spec, _ = read_job(data)
    return spec.name if spec else "-"


def plan_job(config: Config) -> JobPlan:
    """The clips of the job that is asked for.

    Raises:
        UsageError: Names everything that is wrong with it, each with its place.
    """
    data, source, folder = job_data(config)
    spec, problems = read_job(data)
    if spec is None:
        raise _wrong(source, problems)
    clips = []
    for index, clip in enumerate(spec.clips):
        planned, found = _planned(config, spec, index, clip, folder)
        problems += found
        clips.append(planned)
    problems += _against_the_model(config, clips) + _without_effect(config, spec)
    if problems:
        raise _wrong(source, list(dict.fromkeys(problems)))
    return JobPlan(spec, clips, source)


def _wrong(source: str, problems: list[str]) -> UsageError:
    several = f"{source} has {len(problems)} problems:" + "".join(f"\n    - {problem}" for problem in problems)
    return UsageError(
        f"{source}: {listing(problems)}" if len(problems) == 1 else several,
        "docs/jobs.md describes every key; docs/job.schema.json lets editors complete them.",
    )


def _planned(config: Config, spec: JobSpec, index: int, clip: ClipSpec, folder: Path) -> tuple[PlannedClip, list[str]]:
    own = {key: value for key, value in dataclasses.asdict(clip.sampling).items() if value is not None}
    sizes = {"num_frames": clip.num_frames, "height": spec.height, "width": spec.width, "fps": spec.fps}
    own |= {key: value for key, value in sizes.items() if value is not None}
    sampling: Sampling = replace(config.sampling, **own)
    begins_with, given, after = _beginning(config, spec, index, clip)
    where = place(("clips", index, "chain")) + "=image:" if begins_with == "image" else "init_image="
    image, problems = _image(given, where, folder if config.image is None or index else Path())
    case = Case(
        index=index,
        prompt=clip.prompt,
        negative_prompt=clip.negative_prompt or config.sampling.negative_prompt,
        seed=config.seed + index if clip.seed is None else clip.seed,
        image=image,
        image_sha256=None if image is None else files.sha256_file(image),
        model=config.model,
        sampling=sampling,
        engine=config.engine.name,
        backend=config.backend,
        tier=config.tier,
        gpu=config.gpu,
    )
    for problem in size_rules.problems(config.model, sampling, compared=False):
        # one that is of the composed sampling was refused when it was composed
        problem = problem.replace("sampling.num_frames", place(("clips", index, "num_frames")), 1)
        problems.append(problem.removeprefix("sampling."))
    return PlannedClip(index, spec.clip_id(index), case, begins_with, after), problems


def _beginning(config: Config, spec: JobSpec, index: int, clip: ClipSpec) -> tuple[str, str | None, int | None]:
    """What a clip begins with: the kind, the path of a picture, the clip whose last frame it is."""
    kind, _, rest = (clip.chain or ("last_frame" if index else "init_image")).partition(":")
    if kind == "init_image":
        given = config.image or spec.init_image
        return ("none", None, None) if given is None else ("init_image", None if given == GENERATED else given, None)
    if kind == "image":
        return "image", rest, None
    if kind == "none":
        return "none", None, None
    ids = [spec.clip_id(earlier) for earlier in range(index)]
    after = ids.index(rest) if rest in ids else index - 1  # names that are none were complained of already
    return "clip", None, max(after, 0)


def _image(given: str | None, where: str, folder: Path) -> tuple[Path | None, list[str]]:
    """The file of a picture, and what is wrong with it; ``where`` it was named."""
    if given is None:
        return None, []
    try:
        path = folder / files.given_path(given)
        files.regular_file(path, "picture", most_bytes=IMAGE_BYTES)
        from fvhydra.media.picture import read_image

        read_image(path)
    except UsageError as error:
        return None, [f"{where}{given}: {error.message}"]
    return path, []


def _against_the_model(config: Config, clips: list[PlannedClip]) -> list[str]:
    """What the chosen model cannot do."""
    model = config.model
    if model.artifact != "pixel":
        return [
            f"model={model.name} is compared as {model.artifact}, and clips are made of frames; choose one such as "
            "model=wan22_ti2v_5b."
        ]
    problems = []
    for clip in clips:
        where = place(("clips", clip.index, "chain"))
        if model.workload == "i2v" and clip.begins_with == "none":
            how = "give init_image" if clip.index == 0 else "chain it, or give image:<path>"
            problems.append(f"{where}: model={model.name} animates a first frame, and this clip has none; {how}.")
        if model.workload == "t2v" and clip.begins_with != "none":
            problems.append(f"{where}: model={model.name} takes no first frame; it can only be none.")
    return problems


def _without_effect(config: Config, spec: JobSpec) -> list[str]:
    """Keys of the command that a job has its own of."""
    own = {key: getattr(config, key) for key in ("prompt", "prompt_file", "prompt_index")}
    found = [f"{key}={value}: a job has its prompts itself." for key, value in own.items() if value is not None]
    if config.seed != config.sampling.seed and all(clip.seed is not None for clip in spec.clips):
        found.append(f"seed={config.seed}: every clip has a seed of its own.")
    return found
