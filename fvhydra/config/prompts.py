# SPDX-License-Identifier: Apache-2.0
"""``prompts=``: the prompts of a run: a set in ``conf/prompts``, unless ``prompt=`` or ``prompt_file=`` is given."""

from __future__ import annotations

from typing import Annotated, Any

from omegaconf import MISSING
from pydantic import Field
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import Name, Words, doc, one_of

Samples = Annotated[int, Field(gt=0, le=10_000)]

SAMPLE_KEYS = (
    *("tags", "dimension", "auxiliary_info", "scenario", "view", "action", "actions", "calibration"),
    *("mouse_pitch_sign", "reference", "reference_take2", "reference_audio", "reference_text", "language"),
)
"""What a prompt file may say of a prompt's clips beside how they are made (``docs/prompts.md``)."""


@dataclass
class Prompt:
    """One prompt, with the image it animates for image-to-video models."""

    text: str = doc("The prompt", MISSING)
    image: str | None = doc("Path of the first frame; relative paths are looked up in the prompt set's folder", None)
    negative_prompt: str | None = doc("Instead of sampling.negative_prompt", None)
    samples: Samples = doc("How many clips of it, with seeds that count up from seed=", 1)
    sample: dict[str, Any] = doc(
        "What op=eval is told of its clips: auxiliary_info, dimension, tags, ...", factory=dict
    )


@dataclass
class PromptsConfig:
    """A prompt set."""

    name: Name = doc("The word after prompts=", MISSING)
    entries: list[Prompt] = doc("The prompts, in order; prompt_index= counts from 0", factory=list)
    samples: Samples | None = doc("Clips of each prompt, instead of the set's own numbers", None)
    tags: Words = doc("Only prompts with one of these tags or dimensions", None)


@dataclass
class SuiteConfig(PromptsConfig):
    """The prompts of a benchmark, read from a copy of its own files."""

    format: Annotated[str, one_of("vbench", "physics_iq")] = doc("How its files are read", MISSING)
    file: str = doc("The file of its prompts, a name or pattern, where path= is a folder", MISSING)
    source: str = doc("Where a copy is to be had", MISSING)
    path: str | None = doc("A copy: that file, or a folder with it", None)
    repo: str | None = doc("A data set on the Hub instead of path=", None)
    revision: str | None = doc("The data set's commit, required with repo=", None)
