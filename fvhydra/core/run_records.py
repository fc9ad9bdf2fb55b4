# SPDX-License-Identifier: Apache-2.0
"""The types of what stands in ``manifest.json`` and ``status.json`` of a run folder, which may be anybody's.

Keys that are not named here are kept as they are.
"""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

import pydantic
from typing_extensions import TypedDict

_OPEN = pydantic.ConfigDict(extra="allow")


class ManifestCase(TypedDict, total=False):
    """What was to be generated."""

    __pydantic_config__ = _OPEN  # type: ignore[misc]  # how pydantic wants it

    index: int
    prompt: str
    sample: dict[str, Any]


class Artifact(TypedDict):
    """A finished file."""

    __pydantic_config__ = _OPEN  # type: ignore[misc]

    path: str
    case: NotRequired[int]
    dropped: NotRequired[dict[str, Any]]


class Manifest(TypedDict):
    """What a run was told, and what it made."""

    __pydantic_config__ = _OPEN  # type: ignore[misc]

    schema_version: int
    op: str
    model: str
    title: str
    created: str
    command: list[str]
    config: dict[str, Any]
    environment: dict[str, str]
    cases: list[ManifestCase]
    artifacts: list[Artifact]


class Status(TypedDict):
    """How far a run is, and which process it is."""

    __pydantic_config__ = _OPEN  # type: ignore[misc]

    state: str
    pid: Annotated[int, pydantic.Field(gt=0, lt=2**31)]
    host: NotRequired[str]
    started: NotRequired[str]
    updated: NotRequired[str]
    stage: NotRequired[str]
    clip: NotRequired[int | None]
    msg: NotRequired[str]
    step: NotRequired[int]
    steps: NotRequired[int]
    done: NotRequired[int]
    total: NotRequired[int]
    elapsed_s: NotRequired[float]
    eta_s: NotRequired[float | None]
    gpu_memory_mb: NotRequired[list[int]]
