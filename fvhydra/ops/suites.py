# SPDX-License-Identifier: Apache-2.0
"""The prompts of benchmarks, read from copies of their own files as they are."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fvhydra.config.prompts import Prompt, SuiteConfig
from fvhydra.core.errors import InfrastructureError, UsageError
from fvhydra.core.files import given_path
from fvhydra.core.token import find_token
from fvhydra.core.untrusted import read_json, read_text

_VBENCH_SAMPLES = {"temporal_flickering": 25}
"""Clips a prompt, by dimension; VBench samples 5 for the others, and leaves out those that move."""

_TAKE = re.compile(r"\d+_perspective-(?P<view>\w+)_take-(?P<take>\d)_trimmed-(?P<scenario>.+)\.mp4")
_PICTURE = "*_switch-frames_*.jpg"
_RECORDING = "*_testing-videos_30FPS_perspective-*_take-*_trimmed-*.mp4"


_Key = tuple[str, str, str]
"""View, take and scenario of a recording."""


def read_suite(config: SuiteConfig) -> list[Prompt]:
    """The prompts of a benchmark, in its order; what it says of their clips is in ``sample``.

    Raises:
        UsageError: There is no copy, or the file is not one of the benchmark.
        InfrastructureError: The Hub cannot be asked.
    """
    path = suite_file(config)
    try:
        return _FORMATS[config.format](path)
    except (KeyError, TypeError, AttributeError, ValueError, csv.Error) as error:
        raise UsageError(
            f"{path} is not the prompts of {config.name}: {type(error).__name__} {error}.",
            f"Get a copy from {config.source}, and name it with prompts.path=",
        ) from error


def suite_file(config: SuiteConfig) -> Path:
    """The file of the suite's prompts, in what ``prompts.path`` or ``prompts.repo`` names.

    Raises:
        UsageError: There is no copy, or the file is not in it.
        InfrastructureError: The Hub cannot be asked.
    """
    given = given_path(config.path) if config.path is not None else _downloaded(config)
    if given is None:
        raise UsageError(
            f"prompts={config.name} needs a copy of its data: {config.source}",
            f"Name it with prompts.path=<folder or {config.file}>, or a data set on the Hub with prompts.repo= and "
            "prompts.revision=",
        )
    if given.is_file():
        return given
    found = sorted(given.rglob(config.file), key=lambda path: (len(path.parts), path))
    if not found:
        what = f"has no {config.file}" if given.is_dir() else "does not exist"
        raise UsageError(f"prompts.path={given} {what}.", f"A copy is to be had at {config.source}")
    return found[0]


def _downloaded(config: SuiteConfig) -> Path | None:
    if config.repo is None:
        return None
    if config.revision is None:
        raise UsageError(
            f"prompts.repo={config.repo} may change at any time.", "Add prompts.revision=<a commit of the data set>."
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    token = find_token()
    try:
        folder = snapshot_download(
            config.repo,
            repo_type="dataset",
            revision=config.revision,
            allow_patterns=[f"*{config.file}", _PICTURE, _RECORDING],
            token=token.value if token else None,
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise InfrastructureError(
            f"prompts.repo={config.repo} cannot be fetched at {config.revision}: {str(error).splitlines()[0]}",
            f"Name a copy on this machine with prompts.path=; it is to be had at {config.source}",
        ) from error
    return Path(folder)


def _vbench(path: Path) -> list[Prompt]:
    """``VBench_full_info.json``: objects with ``prompt_en``, ``dimension`` and ``auxiliary_info`` by dimension.

    A prompt that stands there several times is one prompt of all its dimensions.
    """
    found: dict[str, dict[str, Any]] = {}
    for entry in read_json(path):
        sample = found.setdefault(entry["prompt_en"], {"dimension": [], "auxiliary_info": {}})
        sample["dimension"] += [name for name in entry["dimension"] if name not in sample["dimension"]]
        for information in entry.get("auxiliary_info", {}).values():
            sample["auxiliary_info"] |= {key: _unwrapped(key, value) for key, value in information.items()}
    return [
        Prompt(
            text=text,
            samples=max(_VBENCH_SAMPLES.get(name, 5) for name in sample["dimension"]),
            sample={key: value for key, value in sample.items() if value},
        )
        for text, sample in found.items()
    ]


def _unwrapped(key: str, value: Any) -> Any:
    """``{"scene": "alley"}`` under ``scene`` is ``"alley"``."""
    while isinstance(value, Mapping) and set(value) == {key}:
        value = value[key]
    return value


def _physics_iq(path: Path) -> list[Prompt]:
    """The benchmark's table of descriptions: ``scenario`` (a recording's name), ``description``, ``category``.

    First frames and both recordings are named where the folder around the table has them.
    """
    root = path.parent.parent if path.parent.name == "descriptions" else path.parent
    pictures = {picture.name: picture for picture in root.rglob(_PICTURE)}
    recordings = {_key(name): file for file in root.rglob(_RECORDING) if (name := _plain(file.name))}
    table = io.StringIO(read_text(path, "table"), newline="")
    return [_scene(row, pictures, recordings) for row in csv.DictReader(table) if "_take-2_" not in row["scenario"]]


def _scene(row: Mapping[str, str], pictures: Mapping[str, Path], recordings: Mapping[_Key, Path]) -> Prompt:
    name = row["scenario"]
    view, _, scenario = _key(name)
    first = name.replace("_perspective-", "_switch-frames_anyFPS_perspective-").replace("_take-1", "")
    picture = pictures.get(Path(first).with_suffix(".jpg").name)
    sample: dict[str, Any] = {"scenario": scenario, "view": view}
    if row.get("category"):
        sample["tags"] = [row["category"]]
    for key, take in (("reference", "1"), ("reference_take2", "2")):
        if recording := recordings.get((view, take, scenario)):
            sample[key] = str(recording.absolute())
    return Prompt(text=row["description"], image=str(picture.absolute()) if picture else None, sample=sample)


def _plain(name: str) -> str:
    """A recording's name as the table has it."""
    return name.replace("_testing-videos_30FPS", "")


def _key(name: str) -> _Key:
    found = _TAKE.fullmatch(name)
    if found is None:
        raise ValueError(f"{name!r} is no name of a recording")
    return found["view"], found["take"], found["scenario"]


_FORMATS: dict[str, Callable[[Path], list[Prompt]]] = {"vbench": _vbench, "physics_iq": _physics_iq}
