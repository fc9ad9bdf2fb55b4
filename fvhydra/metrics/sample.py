# SPDX-License-Identifier: Apache-2.0
"""A sample: a clip to score and whatever is known of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from fvhydra.core.errors import UsageError
from fvhydra.core.files import canonical_json, regular_file, sha256_bytes, sha256_file
from fvhydra.media.limits import MOST_BYTES


@dataclass(frozen=True)
class Sample:
    """A clip to score, or a member of the reference set.

    Attributes:
        id: Unique in an evaluation, the same on every machine: the path relative to what was given, or what the
            manifest says.
        keys: ``video``, ``reference``, ``text_prompt``, ``audio``, ... to values; files, and folders of frames, are
            :class:`~pathlib.Path`. ``fps`` is the rate of those folders.
        role: ``generated``, or ``reference`` for a sample that only feeds the reference side of set metrics.
        tags: What results are grouped by, such as ``dimension=color``.
        problem: Why nothing of it can be scored: what is odd in its line of a manifest. Empty for most.
    """

    id: str
    keys: Mapping[str, Any]
    role: str = "generated"
    tags: tuple[str, ...] = ()
    problem: str = ""

    def content(self, keys: Iterable[str]) -> str:
        """Hex SHA-256 of what the given keys hold: the bytes of files, the canonical JSON of values.

        Two samples of the same content score the same under the same metric, whatever their names. Of a folder of
        frames it is their bytes in order, and the rate that they are shown at.

        Raises:
            OSError: A file cannot be read, or is nothing that would end.
        """
        values = {key: self.keys.get(key) for key in sorted(keys)}
        if self.has_frame_folder(values):
            values["fps"] = self.rate
        try:
            parts = {key: _content(value) for key, value in values.items()}
        except UsageError as error:
            raise OSError(error.message) from error
        return sha256_bytes(canonical_json({"role": self.role, **parts}).encode())

    @property
    def rate(self) -> float | None:
        """Frames a second of the clips that are folders of frames; None where it is not known, or no number."""
        given = self.keys.get("fps")
        return float(given) if isinstance(given, (int, float)) and not isinstance(given, bool) else None

    def has_frame_folder(self, keys: Iterable[str]) -> bool:
        """Whether one of the given keys is a folder."""
        return any(isinstance(path := self.keys.get(key), Path) and path.is_dir() for key in keys)


def _content(value: Any) -> Any:
    if not isinstance(value, Path):
        return value
    if value.is_dir():
        from fvhydra.media.frame_folder import frame_paths

        return [_content(path) for path in frame_paths(value)]
    regular_file(value, most_bytes=MOST_BYTES)
    status = value.stat()
    return _file(value, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=65536)
def _file(path: Path, size: int, modified_ns: int) -> str:
    """The hash of a file, computed once for all metrics; its size and time tell when it has changed."""
    return sha256_file(path)
