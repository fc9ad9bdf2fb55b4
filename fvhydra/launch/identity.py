# SPDX-License-Identifier: Apache-2.0
"""What makes two jobs the same job: the key by which a sweep resumes."""

from __future__ import annotations

import dataclasses

from fvhydra.core import files
from fvhydra.ops.base import Op
from fvhydra.ops.context import Prepared

_UNDECISIVE = ("launcher", "runtime", "sweep", "resume", "dry_run")
"""Where a job runs and what it leaves behind; the outcome is the same."""

_LIMITS = ("timeout_s", "silence_s")
"""Of an engine: when to give it up. What it made before is the same."""

_PERSON = ("confirm",)
"""Options of ops that are the person's part, after the job."""


def fingerprint(prepared: Prepared, op: Op) -> str:
    """Hex SHA-256 of everything that decides the outcome of a job, the content of the files that it names included."""
    config = prepared.config
    values = {
        field.name: files.plain(getattr(config, field.name))
        for field in dataclasses.fields(config)
        if field.name not in (*_UNDECISIVE, *(("run",) if op.resumable else ()))
    }
    values["engine"] = {key: value for key, value in values["engine"].items() if key not in _LIMITS}
    values["op"] = {key: value for key, value in values["op"].items() if key not in _PERSON}
    return files.sha256_bytes(files.canonical_json({"config": values, "inputs": op.inputs(prepared)}).encode())
