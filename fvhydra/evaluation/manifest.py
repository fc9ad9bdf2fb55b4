# SPDX-License-Identifier: Apache-2.0
"""Manifests: one sample a line, as JSON. The format is described in ``docs/evaluation.md``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fvhydra.core.errors import UsageError
from fvhydra.core.files import canonical_json, given_path
from fvhydra.metrics.sample import Sample

PATHS = ("video", "reference", "audio", "reference_audio", "image")
"""Keys that are files under any metric."""

_TAGGING = ("dimension", "action", "scenario", "view")
_ROLES = ("generated", "reference")
_SHOWN = 10


def read_manifest(path: Path, path_keys: Iterable[str], *, may_be_empty: bool = False) -> list[Sample]:
    """Read samples, sorted by id.

    Args:
        path: JSON lines. Relative paths in it are relative to its folder.
        path_keys: Further keys whose values are files.
        may_be_empty: Whether no lines are fine.

    Raises:
        UsageError: No such file, no lines, or lines that are no samples: all of them are listed.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"manifest={path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    samples: dict[str, Sample] = {}
    problems = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            sample = _sample(line, path.parent, {*PATHS, *path_keys})
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
    lines = [{**sample.keys, "id": sample.id, "role": sample.role, "tags": sample.tags} for sample in samples]
    return "".join(f"{canonical_json(line)}\n" for line in lines).encode()


def tags_of(keys: Mapping[str, Any]) -> tuple[str, ...]:
    """What a sample is grouped by: its ``tags``, and ``<key>=<value>`` of keys that benchmarks group by."""
    found = list(_listed(keys.get("tags")))
    found += [f"{key}={value}" for key in _TAGGING for value in _listed(keys.get(key))]
    return tuple(dict.fromkeys(found))


def _listed(value: Any) -> list[str]:
    return [str(item) for item in (value if isinstance(value, list) else [value]) if isinstance(item, (str, int))]


def _sample(line: str, folder: Path, path_keys: Iterable[str]) -> Sample:
    try:
        given = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error})") from error
    if not isinstance(given, dict):
        raise ValueError("not a JSON object")
    keys = {key: value for key, value in given.items() if value is not None}
    if "prompt" in keys:
        keys.setdefault("text_prompt", keys.pop("prompt"))
    role = keys.pop("role", "generated")
    if role not in _ROLES:
        raise ValueError(f"role is {role!r}; it must be generated or reference")
    name = keys.pop("id", None) or keys.get("video") or keys.get("audio")
    if not isinstance(name, str):
        raise ValueError("it has neither id, video nor audio to be known by")
    for key in path_keys:
        if isinstance(keys.get(key), str):
            keys[key] = (folder / given_path(keys[key])).absolute()
        elif key in keys and key in PATHS:
            raise ValueError(f"{key} must be a path, not {keys[key]!r}")
    return Sample(name, keys, role, tags_of(keys))
