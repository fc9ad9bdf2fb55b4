# SPDX-License-Identifier: Apache-2.0
"""What a run folder names that is not in it: absolute paths in its records, which lead nowhere on another machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fvhydra.core import untrusted
from fvhydra.core.errors import UsageError

_ABSOLUTE = re.compile(r"/[^/\0\n]|[A-Za-z]:[\\/]|\\\\[^\\]|file://")

_PROVENANCE = ("command", "config", "driver", "environment", "added", "folder", "overrides", "types")
"""Top-level keys that say how and where something was made: what they name need not be there to read the run."""

_PLACES = ("environment_difference", "hub_cache", "spec", "store")
"""Keys at any depth that say where something was made, what it was asked with (a job's pictures are copied) or compared
with; the run is read without going there."""

_SENTENCES = ("message", "notes", "next_commands", "msg", "said", "command", "reason")
"""Keys of what is said to people; a path in a sentence is no reference."""

_RECORDS = (".json", ".jsonl")


@dataclass(frozen=True)
class Outside:
    """A place in a record that names something by an absolute path.

    Attributes:
        record: The file, relative to the folder, with ``/``.
        field: Where in it: ``line 3: clips.video``, ``artifacts[0].path``.
        path: What stands there.
    """

    record: str
    field: str
    path: str

    def __str__(self) -> str:
        return f"{self.record} {self.field}: {self.path}"


def outside(folder: Path) -> Iterator[Outside]:
    """Every absolute path in the records of a run or sweep, in the order of their files.

    A record that cannot be read is passed by: whoever reads it says so.
    """
    for path in sorted(folder.rglob("*")):
        # what a worker needs to run a job is about the machine by its nature
        if path.suffix not in _RECORDS or path.name == "job.json" or not path.is_file() or path.is_symlink():
            continue
        record = path.relative_to(folder).as_posix()
        try:
            for where, value in _values(path):
                for field, text in _texts(value, ""):
                    if _ABSOLUTE.match(text):
                        yield Outside(record, f"{where}{field}", text)
        except UsageError:
            continue


def _values(path: Path) -> Iterator[tuple[str, Any]]:
    if path.suffix == ".json":
        yield "", untrusted.read_json(path)
        return
    for number, line in untrusted.read_lines(path):
        yield f"line {number}: ", untrusted.parse_json(line, f"{path} line {number}")


def _texts(value: Any, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in _SENTENCES or key in _PLACES or (not where and key in _PROVENANCE):
                continue
            yield from _texts(item, f"{where}.{key}" if where else str(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, f"{where}[{index}]")
