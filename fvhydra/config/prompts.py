"""``prompts=``: the prompts of a run: a set in ``conf/prompts``, unless ``prompt=`` or ``prompt_file=`` is given."""

from __future__ import annotations

from omegaconf import MISSING
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import Name, doc


@dataclass
class Prompt:
    """One prompt, with the image it animates for image-to-video models."""

    text: str = doc("The prompt", MISSING)
    image: str | None = doc("Path of the first frame; relative paths are looked up in the prompt set's folder", None)
    negative_prompt: str | None = doc("Instead of sampling.negative_prompt", None)


@dataclass
class PromptsConfig:
    """A prompt set."""

    name: Name = doc("The word after prompts=", MISSING)
    entries: list[Prompt] = doc("The prompts, in order; prompt_index= counts from 0", factory=list)
