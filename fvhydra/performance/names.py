# SPDX-License-Identifier: Apache-2.0
"""Names of records: their paths in a store, and of the files that a run leaves."""

from __future__ import annotations

import re
from pathlib import Path

from fvhydra.core.errors import UsageError
from fvhydra.performance.record import PerfRecord
from fvhydra.stores.base import PART_BYTES

_OTHER = re.compile(r"[^A-Za-z0-9._-]")
RUN_FOLDER = "performance"
"""Folder of a run with the records that it made, and their single runs."""

_NORMALIZED, _SAMPLES = "normalized_perf_", "samples_perf_"


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


def normalized_name(record: PerfRecord) -> str:
    """Name of the file that a run writes of a record: ``normalized_perf_<model_id>_<timestamp>_<commit>.json``."""
    parts = (record.model_id, record.timestamp, record.commit_sha or "unknown")
    return f"{_NORMALIZED}{'_'.join(sanitized(part) for part in parts)}.json"


def samples_path(record: Path) -> Path:
    """The file with the single runs of a record, beside it: ``samples_perf_...`` for ``normalized_perf_...``."""
    return record.with_name(f"{_SAMPLES}{record.name.removeprefix(_NORMALIZED)}")


def records_of_run(folder: Path) -> list[Path]:
    """The records that a run made, or the jobs of a sweep, in the order of their names."""
    return sorted(
        path for place in (RUN_FOLDER, f"*/{RUN_FOLDER}") for path in folder.glob(f"{place}/{_NORMALIZED}*.json")
    )
