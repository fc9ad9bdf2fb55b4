# SPDX-License-Identifier: Apache-2.0
"""``job=`` and ``job_file=``: the clips of a story, one after the other (``op=run_job``).

A job is data that a person writes, so it is read as a whole and everything that is wrong with it is said at once, each
thing with its place: ``clips[2].num_frames``.
"""

from __future__ import annotations

import copy
import dataclasses
from typing import Annotated, Any

import pydantic
from pydantic import AfterValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import Name, NonNegativeFloat, Pixels, Positive, PositiveFloat, Seed, doc
from fvhydra.config.problems import nearest, short

GENERATED = "generated"
"""Value of ``init_image`` for a picture that is made here."""

MOST_CLIPS = 1_000
_PROMPT_CHARACTERS = 100_000
_STRICT = ConfigDict(extra="forbid")


def _prompt(value: str) -> str:
    if not value.strip():
        raise ValueError("must have a text")
    return _text(value)


def _text(value: str) -> str:
    if len(value) > _PROMPT_CHARACTERS:
        raise ValueError(f"must have at most {_PROMPT_CHARACTERS:,} characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("must be text, and holds half of a surrogate pair, or bytes that are not UTF-8") from None
    return value


def _chain(value: str) -> str:
    kind, colon, rest = value.partition(":")
    if not (value in ("last_frame", "none") or (kind in ("image", "clip") and colon and rest.strip())):
        raise ValueError("must be last_frame, none, image:<path> or clip:<id>")
    return value


Chain = Annotated[str, AfterValidator(_chain), Field(pattern=r"^(last_frame|none|image:.+|clip:.+)$")]


@dataclass(config=_STRICT)
class ClipSampling:
    """What of the model's sampling is other for one clip."""

    num_inference_steps: Annotated[Positive, Field(le=10_000)] | None = doc("Denoising steps", None)
    guidance_scale: NonNegativeFloat | None = doc("Classifier-free guidance", None)
    flow_shift: PositiveFloat | None = doc("Timestep shift of flow-matching schedulers", None)
    vae_tiling: bool | None = doc("Decode in tiles (less memory, other rounding)", None)


@dataclass(config=_STRICT)
class ClipSpec:
    """One clip."""

    prompt: Annotated[str, AfterValidator(_prompt), Field(min_length=1)] = doc("What it shows")
    id: Name | None = doc("What later clips call it in chain: clip:<id>; null: clip_000 and so on, by position", None)
    negative_prompt: Annotated[str, AfterValidator(_text)] | None = doc(
        "What to stay away from; null: sampling.negative_prompt", None
    )
    seed: Seed | None = doc("Its random seed; null: seed= plus its position", None)
    num_frames: Annotated[Positive, Field(le=100_000)] | None = doc("Its frames; null: sampling.num_frames", None)
    chain: Chain | None = doc(
        "What it begins with: last_frame (of the clip before), none (text alone), image:<path>, clip:<id> (that clip's "
        "last frame); null: init_image for the first clip where there is one, last_frame for the others",
        None,
    )
    sampling: ClipSampling = doc("What else is other than the model's sampling", factory=ClipSampling)


@dataclass(config=_STRICT)
class Guardrails:
    """When to give up."""

    max_clip_seconds: PositiveFloat = doc(
        "Longest time for one clip, s; the whole job, loading included, has this for each of its clips", 600.0
    )


@dataclass(config=_STRICT)
class JobSpec:
    """A job: clips that are generated one after the other and joined to one video."""

    name: Name = doc("Folder of its runs")
    clips: Annotated[list[ClipSpec], Field(min_length=1, max_length=MOST_CLIPS)] = doc("The clips, in order")
    fps: Annotated[Positive, Field(le=1_000)] | None = doc("Frames a second; null: sampling.fps", None)
    height: Pixels | None = doc("Pixels; null: sampling.height", None)
    width: Pixels | None = doc("Pixels; null: sampling.width", None)
    init_image: str | None = doc("First frame of the first clip: a path, or 'generated' for a made-up picture", None)
    guardrails: Guardrails = doc("When to give up", factory=Guardrails)

    def clip_id(self, index: int) -> str:
        """What a clip is called, also where it was not given a name."""
        return self.clips[index].id or f"clip_{index:03}"


_ADAPTER = pydantic.TypeAdapter(JobSpec)


def read_job(data: Any) -> tuple[JobSpec | None, list[str]]:
    """The job that ``data`` describes.

    Args:
        data: JSON types.

    Returns:
        The job, and a sentence for each thing that is wrong with it. Where something is, the job is what is sound of
        it, for further checks; None where nothing is.
    """
    problems: list[str] = []
    for attempt in range(3):
        try:
            spec = _ADAPTER.validate_python(data)
            return spec, problems + (_references(spec) if spec else [])
        except pydantic.ValidationError as error:
            if attempt == 0:
                problems = list(dict.fromkeys(_sentence(item) for item in error.errors(include_url=False)))
            data = _sound(data, error)
    return None, problems


def _references(spec: JobSpec) -> list[str]:
    """What is wrong with the names that clips have and use."""
    found = []
    ids = [spec.clip_id(index) for index in range(len(spec.clips))]
    for index, clip in enumerate(spec.clips):
        own = ids[index]
        if (first := ids.index(own)) < index:
            found.append(f"clips[{index}].id={own}: clips[{first}] is called so already.")
        kind, _, name = (clip.chain or "").partition(":")
        if kind == "last_frame" and index == 0:
            found.append("clips[0].chain=last_frame: no clip comes before the first; give init_image, or none.")
        if kind != "clip":
            continue
        if name not in ids:
            meant, earlier = nearest(name, ids[:index]), _few(ids[:index]) or "none"
            found.append(f"clips[{index}].chain={clip.chain}: no clip is called {name}.{meant} Before it: {earlier}.")
        elif ids.index(name) >= index:
            which = "the clip itself" if name == own else f"clips[{ids.index(name)}], which comes later"
            found.append(f"clips[{index}].chain={clip.chain}: must be an earlier clip, not {which}.")
    return found


def _few(words: list[str]) -> str:
    return ", ".join(words[:10]) + (f" and {len(words) - 10} more" if len(words) > 10 else "")


def place(location: tuple[str | int, ...]) -> str:
    """Where something stands: ``clips[2].num_frames``."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def _sentence(item: Any) -> str:
    where = place(item["loc"]) or "The job"
    if item["type"] == "unexpected_keyword_argument":
        known = [field.name for field in dataclasses.fields(_schema_at(item["loc"][:-1]))]
        key, inside = str(item["loc"][-1]), place(item["loc"][:-1]) or "A job"
        return f"{where}: there is no such key.{nearest(key, known)} {inside} has: {', '.join(known)}."
    if item["type"] in ("missing", "missing_argument"):
        return f"{where} is missing."
    if not item["loc"] and item["input"] is None:
        return "The job is empty."
    if item["type"] == "dataclass_type":
        return f"{where}={short(item['input'])}: must be keys with their values."
    if item["type"] in ("too_short", "too_long"):
        key, few = ("min_length", "at least") if item["type"] == "too_short" else ("max_length", "at most")
        return f"{where}: must have {few} {item['ctx'][key]:,}, and has {item['ctx']['actual_length']:,}."
    rule = item["msg"].removeprefix("Input should ").removeprefix("Value error, ").removeprefix("be ")
    must = rule if rule.startswith("must ") else f"must be {rule[0].lower()}{rule[1:]}"
    return f"{where}={short(item['input'])}: {must}."


def _schema_at(location: tuple[str | int, ...]) -> type:
    words = [part for part in location if isinstance(part, str)]
    places: dict[str, type] = {"clips": ClipSpec, "guardrails": Guardrails, "sampling": ClipSampling}
    return places.get(words[-1], JobSpec) if words else JobSpec


def _sound(data: Any, error: pydantic.ValidationError) -> Any:
    """``data`` without what is wrong, with stand-ins for what has to be there."""
    if not isinstance(data, dict):
        return {}
    data = copy.deepcopy(data)
    for item in error.errors(include_url=False):
        *outer, last = item["loc"] or ("",)
        holder: Any = data
        for part in outer:
            holder = holder[part]
        stand_ins: dict[Any, Any] = {"prompt": "-", "name": "-", "clips": [{"prompt": "-"}]}
        if isinstance(holder, list):
            holder[int(last)] = {"prompt": "-"}
        elif last in stand_ins:
            holder[last] = stand_ins[last]
        else:
            holder.pop(last, None)
    return data


def json_schema() -> dict[str, Any]:
    """The JSON schema of a job, with the line of help of each key, for editors (``docs/job.schema.json``)."""
    schema = _ADAPTER.json_schema()
    kinds = {kind.__name__: kind for kind in (ClipSampling, ClipSpec, Guardrails)}
    for name, described in [("JobSpec", schema), *schema["$defs"].items()]:
        for field in dataclasses.fields(kinds.get(name, JobSpec)):
            about = described["properties"][field.name]
            described["properties"][field.name] = {"description": field.metadata["help"], **about}
    schema["properties"] = {"$schema": {"type": "string", "description": "This schema"}, **schema["properties"]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
