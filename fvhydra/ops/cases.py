# SPDX-License-Identifier: Apache-2.0
"""From a configuration to the cases it asks for."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fvhydra.config.prompts import Prompt
from fvhydra.config.root import Config
from fvhydra.config.schema import conf_dir
from fvhydra.core import files, untrusted
from fvhydra.core.architecture import architecture_of
from fvhydra.core.case import Case
from fvhydra.core.errors import UsageError
from fvhydra.ops.prompts import prompt_files, refuse_too_many, source
from fvhydra.stores.layout import prompt_stem

if TYPE_CHECKING:
    from fvhydra.ops.context import Context

PROMPT_CHARACTERS = 100_000
IMAGE_BYTES = 2**28
"""Largest file of a first frame."""


def cases(config: Config, given: Sequence[Prompt]) -> list[Case]:
    """Every case of the run, in the order of the prompts that are given.

    Raises:
        UsageError: A prompt is empty or missing, an image is missing, ``prompt_index`` is out of range,
            the model has no architecture to build with random weights.
    """
    if config.tier.weights == "synthetic":
        architecture_of(config.model)  # which refuses one that is not there
    stems: set[str] = set()
    found: list[list[Case]] = []
    index = 0
    refuse_too_many(sum(prompt.samples for prompt in given), source(config))
    for position, prompt in enumerate(given):
        stem = prompt_stem(prompt.text)
        first = _case(config, position, index, prompt, shares_stem=stem in stems)
        found.append([replace(first, index=index + nth, seed=first.seed + nth) for nth in range(prompt.samples)])
        stems.add(stem)
        index += prompt.samples
    if config.prompt_index is None:
        return [case for of_prompt in found for case in of_prompt]
    if config.prompt_index >= len(found):
        raise UsageError(
            f"prompt_index={config.prompt_index} is out of range: {source(config)} has {len(found)} prompt(s), "
            f"0 to {len(found) - 1}."
        )
    return found[config.prompt_index]


def file_digests(config: Config, given: Sequence[Prompt]) -> dict[str, str]:
    """Content hashes of the files that the prompts come from, by the names that they are given by.

    A file that is missing has none; :func:`cases` says so.
    """
    found: dict[str, str] = {}
    with contextlib.suppress(UsageError):
        for name, path in prompt_files(config).items():
            found[name] = files.sha256_bytes(untrusted.read_bytes(path, "prompt file"))
        for prompt in given:
            if (image := image_of(config, prompt)) is not None:
                found[str(config.image or prompt.image)] = _digest(image)
    return found


def same_cases(context: Context) -> str:
    """The words that ask for the same cases in the same store, for commands that are suggested to a person."""
    return shlex.join(same_words(context))


def same_words(context: Context) -> list[str]:
    """The overrides of the job, without what says what to do and where to run it."""
    others = ("op=", "op.", "run=", "runtime", "launcher", "hydra", "resume", "sweep=", "dry_run")
    kept = [word for word in context.overrides if not word.lstrip("+~").startswith(others)]
    model = [] if any(word.startswith("model=") for word in kept) else [f"model={context.config.model.name}"]
    folders = [word for word in carried_words(context.command) if not word.startswith("store")]
    return [*model, *kept, *folders]


def carried_words(command: Sequence[str]) -> list[str]:
    """What was typed to choose the store, and folders of configuration; suggested commands need them too."""
    return [
        word
        for position, word in enumerate(command)
        if word.startswith(("store=", "store.", "--config-dir"))
        or (position and command[position - 1] in ("--config-dir", "-cd"))
    ]


def _case(config: Config, position: int, index: int, prompt: Prompt, shares_stem: bool) -> Case:
    if not prompt.text.strip():
        raise UsageError(f"Prompt {position} of {source(config)} is empty.", "Give it a text, or take it out.")
    negative_prompt = prompt.negative_prompt or config.sampling.negative_prompt
    length = max(len(prompt.text), len(negative_prompt or ""))
    if length > PROMPT_CHARACTERS:
        raise UsageError(
            f"Prompt {position} of {source(config)} has {length:,} characters; at most {PROMPT_CHARACTERS:,} are taken."
        )
    if not (_is_unicode(prompt.text) and _is_unicode(negative_prompt or "")):
        raise UsageError(
            f"Prompt {position} of {source(config)} is not text: it holds half of a surrogate pair, or bytes that are "
            "not UTF-8.",
            "Write it in UTF-8.",
        )
    image = image_of(config, prompt)
    if config.model.workload == "i2v" and image is None:
        raise UsageError(
            f"model={config.model.name} animates a first frame, and prompt {position} of {source(config)} has none.",
            "Add image=<path of a picture>.",
        )
    if config.model.workload in ("t2v", "t2a") and image is not None:
        raise UsageError(
            f"model={config.model.name} takes no first frame, but {image} is given.",
            "Leave image= away, or choose an image-to-video model such as model=wan22_ti2v_5b.",
        )
    return Case(
        index=index,
        prompt=prompt.text,
        negative_prompt=negative_prompt,
        seed=config.seed,
        image=image,
        image_sha256=_digest(image) if image else None,
        model=config.model,
        sampling=config.sampling,
        engine=config.engine.name,
        backend=config.backend,
        tier=config.tier,
        gpu=config.gpu,
        shares_stem=shares_stem,
        sample=prompt.sample,
    )


def decoded(case: Case) -> Case:
    """The case with a clip or a sound as its output: a latent is compared, but what is waited for, and got, is that."""
    return replace(case, model=replace(case.model, artifact="pixel"))


def _digest(image: Path) -> str:
    return files.sha256_bytes(untrusted.read_bytes(image, "first frame", most_bytes=IMAGE_BYTES))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def image_of(config: Config, prompt: Prompt) -> Path | None:
    """The first frame that a prompt animates; None without one.

    Raises:
        UsageError: It is not there.
    """
    if config.image is not None:
        given, path = f"image={config.image}", files.given_path(config.image)
    elif prompt.image is None:
        return None
    else:
        folder = Path(config.prompt_file).parent if config.prompt_file else conf_dir() / "prompts"
        given, path = f"the image {prompt.image} of {source(config)}", folder / files.given_path(prompt.image)
    files.regular_file(path, f"first frame ({given})", most_bytes=IMAGE_BYTES)
    return path
