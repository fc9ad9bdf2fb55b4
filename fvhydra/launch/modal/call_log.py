# SPDX-License-Identifier: Apache-2.0
"""The calls that a sweep has made on Modal, kept in its folder from the moment that each was made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pydantic

from fvhydra.config.problems import first_problem
from fvhydra.core import files, untrusted
from fvhydra.core.errors import UsageError

SCHEMA_VERSION = 1
_NAME = "modal.json"


@dataclass(frozen=True)
class ModalCall:
    """One call of a function: a job's, from the moment that Modal has it.

    Attributes:
        job: Number of the job in its sweep.
        fingerprint: The job's, so that no other job is taken for it.
        id: ``fc-...``, by which any process finds it again.
        volume: Name of the Volume that receives the results, in the folder ``folder``.
        detached: Whether it goes on without the process that made it.
        closed: Whether it has ended and its job's result says how; there is nothing more to come back to.
    """

    job: int
    fingerprint: str
    id: str
    volume: str
    folder: str
    detached: bool
    closed: bool = False


def calls(sweep: Path) -> list[ModalCall]:
    """Every call of a sweep, in order; those of earlier attempts too. Empty when there was none.

    Raises:
        UsageError: The record was damaged, or written by another version.
    """
    path = sweep / _NAME
    if not path.is_file():
        return []
    record = untrusted.read_json(path)
    if not isinstance(record, dict) or record.get("schema_version") != SCHEMA_VERSION:
        raise UsageError(f"{path} is not a record of this version (schema version {SCHEMA_VERSION}).")
    try:
        return pydantic.TypeAdapter(list[ModalCall]).validate_python(record.get("calls"))
    except pydantic.ValidationError as error:
        raise UsageError(f"{path} is damaged: {first_problem(error)}.") from error


def remember(sweep: Path, call: ModalCall) -> None:
    """Add a call to the record, or replace what it said of the same call."""
    others = [known for known in calls(sweep) if known.id != call.id]
    files.write_json(sweep / _NAME, {"schema_version": SCHEMA_VERSION, "calls": [*others, call]})


def latest(sweep: Path) -> dict[tuple[int, str], ModalCall]:
    """The newest call of each job, by its number and fingerprint."""
    return {(call.job, call.fingerprint): call for call in calls(sweep)}
