# SPDX-License-Identifier: Apache-2.0
"""From ``prompt=``, ``prompt_file=`` or ``prompts=`` to prompts."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pydantic

from fvhydra.config.problems import first_problem, nearest
from fvhydra.config.prompts import SAMPLE_KEYS, Prompt, PromptsConfig, SuiteConfig
from fvhydra.config.root import Config
from fvhydra.core import untrusted
from fvhydra.core.errors import UsageError
from fvhydra.ops.suites import read_suite, suite_file

_FILES = ("reference", "reference_take2", "reference_audio")
"""What a prompt file says of clips by their paths, relative to the file."""

MOST_CASES = 100_000


def prompts(config: Config) -> list[Prompt]:
    """The prompts of a run, in order.

    Raises:
        UsageError: Two of the three are given, a file is missing or is none, or nothing is left.
    """
    if config.prompt is not None and config.prompt_file is not None:
        raise UsageError("prompt= and prompt_file= are both given.", "Leave one of them away.")
    if config.prompt is not None:
        return [Prompt(text=config.prompt)]
    if config.prompt_file is not None:
        found = _read(Path(config.prompt_file))
    else:
        chosen = config.prompts
        found = _tagged(read_suite(chosen) if isinstance(chosen, SuiteConfig) else chosen.entries, chosen)
    if not found:
        raise UsageError(f"{source(config)} has no prompts.")
    if config.prompts.samples is not None:
        found = [dataclasses.replace(prompt, samples=config.prompts.samples) for prompt in found]
    return found


def prompt_files(config: Config) -> dict[str, Path]:
    """The files that the prompts are written in, by the names that they are given by; only those that are there.

    Raises:
        UsageError: There is no copy of the chosen suite.
    """
    if config.prompt_file is not None:
        path = Path(config.prompt_file)
        return {config.prompt_file: path} if path.is_file() else {}
    if config.prompt is None and isinstance(config.prompts, SuiteConfig):
        return {f"prompts={config.prompts.name}": suite_file(config.prompts)}
    return {}


def source(config: Config) -> str:
    """The override that the prompts come from, for messages."""
    if config.prompt is not None:
        return "prompt="
    return f"prompt_file={config.prompt_file}" if config.prompt_file else f"prompts={config.prompts.name}"


def _tagged(found: list[Prompt], chosen: PromptsConfig) -> list[Prompt]:
    """Only the prompts with one of ``prompts.tags``."""
    if not chosen.tags:
        return found
    tags = [{str(tag) for key in ("tags", "dimension") for tag in _listed(prompt.sample.get(key))} for prompt in found]
    known = set().union(*tags)
    if unknown := sorted({str(tag) for tag in chosen.tags} - known):
        listed = ", ".join(sorted(known)) or "none"
        raise UsageError(
            f"prompts={chosen.name} has no tag {unknown[0]!r}.{nearest(unknown[0], known)} It has: {listed}."
        )
    wanted = {str(tag) for tag in chosen.tags}
    return [prompt for prompt, own in zip(found, tags, strict=True) if own & wanted]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _read(path: Path) -> list[Prompt]:
    """Prompts of a file: ``.txt`` has one a line; the others have strings, or objects with the keys of Prompt."""
    readers = {".txt": _from_txt, ".jsonl": _from_jsonl, ".json": _from_json, ".yaml": _from_yaml}
    if path.suffix not in readers:
        raise UsageError(f"prompt_file={path} has an unknown extension; allowed: {', '.join(readers)}.")
    items = readers[path.suffix](path)
    if not isinstance(items, list):
        raise UsageError(f"prompt_file={path} must hold a list of prompts.")
    refuse_too_many(len(items), f"prompt_file={path}")
    return [_prompt(item, path) for item in items]


def refuse_too_many(count: int, whose: str) -> None:
    """Refuse more cases than a run may have.

    Raises:
        UsageError: There are more cases, or prompts, than :data:`MOST_CASES`.
    """
    if count > MOST_CASES:
        raise UsageError(f"{whose} asks for {count:,} cases; a run has at most {MOST_CASES:,}.", "Split it.")


def _prompt(item: Any, path: Path) -> Prompt:
    if isinstance(item, str):
        return Prompt(text=item)
    keys = ("text", "image", "negative_prompt", "samples", *SAMPLE_KEYS)
    if not isinstance(item, dict) or not isinstance(item.get("text"), str):
        raise UsageError(f"prompt_file={path}: {item!r} is neither a text nor an object with a text.")
    if unknown := next((str(key) for key in item if key not in keys), None):
        raise UsageError(
            f"prompt_file={path}: {item!r} has an unknown key {unknown!r}.{nearest(unknown, keys)} "
            f"Allowed: {', '.join(keys)}."
        )
    if not all(isinstance(item.get(key), str | None) for key in ("image", "negative_prompt")):
        raise UsageError(f"prompt_file={path}: the values of {item!r} must be texts.")
    given = {key: value for key, value in item.items() if key not in SAMPLE_KEYS}
    sample = {key: item[key] for key in SAMPLE_KEYS if item.get(key) is not None}
    sample |= {key: str((path.parent / str(sample[key])).absolute()) for key in _FILES if key in sample}
    try:
        return Prompt(**given, sample=sample)
    except pydantic.ValidationError as error:
        raise UsageError(f"prompt_file={path}: {item['text']!r}: {first_problem(error)}.") from error


def _from_txt(path: Path) -> list[Any]:
    return [line for line in untrusted.read_text(path, "prompt file").splitlines() if line.strip()]


def _from_jsonl(path: Path) -> list[Any]:
    lines = enumerate(untrusted.read_text(path, "prompt file").split("\n"), 1)
    return [untrusted.parse_json(line, f"{path} line {number}") for number, line in lines if line.strip()]


def _from_json(path: Path) -> Any:
    return untrusted.read_json(path, "prompt file")


def _from_yaml(path: Path) -> Any:
    return untrusted.read_yaml(path, "prompt file")
