# SPDX-License-Identifier: Apache-2.0
"""Manifests: one sample a line, as JSON. The format is described in ``docs/evaluation.md``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fvhydra.config.problems import short
from fvhydra.core import untrusted
from fvhydra.core.errors import UsageError
from fvhydra.core.files import canonical_json, given_path
from fvhydra.metrics.sample import Sample

PATHS = ("video", "reference", "audio", "reference_audio", "image")
"""Keys that are files under any metric."""

_TAGGING = ("dimension", "action", "scenario", "view")
_ROLES = ("generated", "reference")
_SHOWN = 10
_BLANK = b" \t\r\n\xef\xbb\xbf"
_PROBLEM = "_problem"
"""Of a sample that cannot be read, in the manifest of a shard: why."""

MOST_SAMPLES = 1_000_000


def read_manifest(path: Path, path_keys: Iterable[str], *, may_be_empty: bool = False) -> list[Sample]:
    """Read samples, sorted by id.

    Args:
        path: JSON lines. Relative paths in it are relative to its folder.
        path_keys: Further keys whose values are files.
        may_be_empty: Whether no lines are fine.

    Raises:
        UsageError: No such file, no lines, or lines that are no samples: all of them are listed. A line with odd
            values is a sample with a :attr:`~fvhydra.metrics.sample.Sample.problem`.
    """
    samples: dict[str, Sample] = {}
    problems = []
    for number, line in untrusted.read_lines(path, "manifest"):
        if not line.strip(_BLANK):
            continue
        if len(samples) == MOST_SAMPLES:
            raise UsageError(f"manifest={path} has more than {MOST_SAMPLES:,} samples, the most of an evaluation.")
        try:
            sample = _sample(line, number, path.parent, {*PATHS, *path_keys})
            if sample.id in samples:
                raise ValueError(f"the id {sample.id!r} is there already; give each sample an id of its own")
            samples[sample.id] = sample
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    if problems:
        listed = "".join(f"\n    {problem}" for problem in problems[:_SHOWN])
        more = f"\n    and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise UsageError(f"{len(problems)} line(s) of manifest={path} are no samples:{listed}{more}")
    if not samples and not may_be_empty:
        raise UsageError(f"manifest={path} has no samples.", 'Write one a line: {"video": "a.mp4", "prompt": "A cat"}')
    return [samples[name] for name in sorted(samples)]


def manifest_of(samples: Iterable[Sample]) -> bytes:
    """The inverse of :func:`read_manifest`: lines of JSON with absolute paths."""
    lines = [
        {**sample.keys, "id": sample.id, "role": sample.role, "tags": sample.tags, _PROBLEM: sample.problem or None}
        for sample in samples
    ]
    return "".join(f"{canonical_json(line)}\n" for line in lines).encode()


def tags_of(keys: Mapping[str, Any]) -> tuple[str, ...]:
    """What a sample is grouped by: its ``tags``, and ``<key>=<value>`` of keys that benchmarks group by."""
    found = list(_listed(keys.get("tags")))
    found += [f"{key}={value}" for key in _TAGGING for value in _listed(keys.get(key))]
    return tuple(dict.fromkeys(found))


def _listed(value: Any) -> list[str]:
    return [str(item) for item in (value if isinstance(value, list) else [value]) if isinstance(item, (str, int))]


def _sample(line: bytes, number: int, folder: Path, path_keys: set[str]) -> Sample:
    """The sample of a line. One whose values are odd is a sample that cannot be read: the others are scored.

    Raises:
        ValueError: The line is no sample at all.
    """
    try:
        given = untrusted.parse_json(line, "it")
    except UsageError as error:
        raise ValueError(f"not JSON ({error.message.partition('(')[2].rstrip('.)') or error.message})") from error
    if not isinstance(given, dict):
        raise ValueError("not a JSON object")
    keys = {key: value for key, value in given.items() if value is not None}
    if "prompt" in keys:
        keys.setdefault("text_prompt", keys.pop("prompt"))
    role = keys.pop("role", "generated")
    if role not in _ROLES:
        raise ValueError(f"role is {role!r}; it must be generated or reference")
    name = keys.pop("id", None)
    name = keys.get("video") or keys.get("audio") if name is None else name
    if name is None:
        raise ValueError("it has neither id, video nor audio to be known by")
    told = keys.pop(_PROBLEM, "")
    odd = []
    if isinstance(name, (int, float)) and not isinstance(name, bool):
        name = str(name)
    if not _is_text(name) or not name:
        odd, name = [f"its id is {short(name)}, which is no text"], f"line {number}"
    if not _is_text(keys.get("text_prompt", "")):
        odd.append(f"its prompt is {short(keys.pop('text_prompt'))}, which is no text")
    odd += _located(keys, folder, path_keys)
    return Sample(name, keys, role, tags_of(keys), f"line {number}: {'; '.join(odd)}" if odd else str(told))


def _located(keys: dict[str, Any], folder: Path, path_keys: set[str]) -> list[str]:
    """Make paths of the values that are files; those that cannot be are taken out, and what is wrong is the answer."""
    odd = []
    for key in sorted(path_keys & keys.keys()):
        value = keys.pop(key)
        if isinstance(value, str):
            try:
                keys[key] = (folder / given_path(value)).absolute()
            except UsageError as error:
                odd.append(f"{key} {error.message.rstrip('.')}")
        elif key in PATHS:
            odd.append(f"{key} is {short(value)}, which is no path")
        else:
            keys[key] = value
    return odd


def _is_text(value: Any) -> bool:
    """Whether a value is text that can be shown: no half of a surrogate pair but those that stand for a byte."""
    try:
        return isinstance(value, str) and os.fsencode(value) is not None
    except UnicodeEncodeError:
        return False
