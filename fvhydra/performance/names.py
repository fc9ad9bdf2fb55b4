# SPDX-License-Identifier: Apache-2.0
"""Names of records: their paths in a store, and of the files that a run leaves."""

from __future__ import annotations

import re

from fvhydra.core.errors import UsageError
from fvhydra.performance.record import PerfRecord
from fvhydra.stores.base import PART_BYTES

_OTHER = re.compile(r"[^A-Za-z0-9._-]")
_RECORD = re.compile(r"[^/]+/[^/]+\.json")
_NOT_RECORDS = ("journal/", "reference_videos/", "drafts/")
"""Folders at the root of a store that hold something else."""


def sanitized(text: str) -> str:
    """A text as a part of a path, as the ecosystem writes it.

    Example:
        >>> sanitized("NVIDIA L40S"), sanitized(".."), sanitized("")
        ('NVIDIA_L40S', '_..', '_')
    """
    name = _OTHER.sub("_", text)
    return name if name and not name.startswith(".") else f"_{name}"


def record_path(record: PerfRecord, suffix: str = "") -> str:
    """Where in a store a record belongs: ``<model_id>/<timestamp>_<commit>.json``.

    Args:
        record: With a timestamp.
        suffix: Comes before ``.json``, as ``_reseed_01``.

    Raises:
        UsageError: A name of its would be longer than file systems take.
    """
    folder = record_folder(record.model_id)
    name = f"{sanitized(record.timestamp)}_{sanitized(record.commit_sha or 'unknown')}{suffix}.json"
    if len(name) > PART_BYTES:
        raise UsageError(f"The name {name} has {len(name)} bytes; at most {PART_BYTES} fit into a path of a store.")
    return f"{folder}/{name}"


def record_folder(model_id: str) -> str:
    """Folder of a store with the records of a model.

    Raises:
        UsageError: Its name would be longer than file systems take.
    """
    folder = sanitized(model_id)
    if len(folder) > PART_BYTES:
        raise UsageError(f"The model id {model_id} has {len(folder)} bytes; at most {PART_BYTES} fit into a path.")
    return folder


def is_record_path(path: str) -> bool:
    """Whether a path of a store may be one of a record.

    Example:
        >>> is_record_path("wan/2026-05-03_abc.json"), is_record_path("journal/0.json"), is_record_path("a/b/c.json")
        (True, False, False)
    """
    return bool(_RECORD.fullmatch(path)) and not path.startswith(_NOT_RECORDS)


def normalized_name(record: PerfRecord) -> str:
    """Name of the file that a run writes of a record: ``normalized_perf_<model_id>_<timestamp>_<commit>.json``."""
    parts = (record.model_id, record.timestamp, record.commit_sha or "unknown")
    return f"normalized_perf_{'_'.join(sanitized(part) for part in parts)}.json"
