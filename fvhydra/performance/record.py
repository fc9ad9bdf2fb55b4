# SPDX-License-Identifier: Apache-2.0
"""Performance records of the ecosystem (data set ``FastVideo/performance-tracking``), of both kinds.

Older records belong together by ``(model_id, gpu_type)``. Those of schema 2 have an identity of six fields, which says
what was measured on what, and are compared by it alone.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from fvhydra.core import untrusted
from fvhydra.core.errors import UsageError

RESULT_SCHEMA_VERSION = 2
"""``result_schema_version`` of records with an identity."""


@dataclass(frozen=True)
class Metric:
    """A measured quantity of a record.

    Attributes:
        name: Its key in records.
        title: What people read.
        unit: ``s``, ``fps`` or ``MB``.
        higher_is_better: Its good direction.
        threshold_percent: Share of the baseline, 0.08 for 8 %, by which it may be worse.
        threshold_absolute: How much it may be worse at least, in its unit, whatever its share.
        ceiling: Key of the fixed limit per GPU in a benchmark's ``thresholds``; None where there is none.
    """

    name: str
    title: str
    unit: str
    higher_is_better: bool
    threshold_percent: float
    threshold_absolute: float
    ceiling: str | None = None


METRICS = {
    metric.name: metric
    for metric in (
        Metric("latency", "latency", "s", False, 0.08, 0.5, "max_generation_time_s"),
        Metric("throughput", "throughput", "fps", True, 0.08, 0.05),
        Metric("memory", "peak memory", "MB", False, 0.05, 256.0, "max_peak_memory_mb"),
        Metric("text_encoder_time_s", "text encoder", "s", False, 0.05, 0.25, "max_text_encoder_time_s"),
        Metric("dit_time_s", "DiT", "s", False, 0.05, 0.25, "max_dit_time_s"),
        Metric("vae_decode_time_s", "VAE decode", "s", False, 0.05, 0.25, "max_vae_decode_time_s"),
    )
}
"""What a record measures, by name, with the ecosystem's thresholds."""

COMPONENTS = ("text_encoder_time_s", "dit_time_s", "vae_decode_time_s")
"""Parts of the latency."""


@dataclass(frozen=True)
class Pair:
    """What tells records without identity apart: model and exact device name."""

    model_id: str
    gpu_type: str

    def matches(self, record: PerfRecord) -> bool:
        return (record.model_id, record.gpu_type) == (self.model_id, self.gpu_type)

    def __str__(self) -> str:
        return f"{self.model_id} on {self.gpu_type}"


@dataclass(frozen=True)
class Identity:
    """What was measured on what; every field as text, because records hold some as text and some as numbers."""

    workload_id: str
    variant_id: str
    benchmark_version: str
    recipe_fingerprint: str
    hardware_profile_id: str
    software_profile_id: str

    def matches(self, record: PerfRecord) -> bool:
        return record.identity == self

    def same_benchmark(self, other: Identity) -> bool:
        """Whether both are the same workload, variant and version, by whatever recipe and on whatever machine."""
        return self._benchmark == other._benchmark

    @property
    def _benchmark(self) -> tuple[str, str, str]:
        return self.workload_id, self.variant_id, self.benchmark_version

    def __str__(self) -> str:
        return (
            f"{self.workload_id} {self.variant_id} version {self.benchmark_version}, recipe "
            f"{self.recipe_fingerprint[:12]}, {self.hardware_profile_id}, {self.software_profile_id}"
        )


Target = Identity | Pair
"""What a baseline is of."""

IDENTITY_KEYS = tuple(field.name for field in dataclasses.fields(Identity))


@dataclass(frozen=True)
class PerfRecord:
    """A record, as it was written.

    Attributes:
        fields: All of it.
        path: Its path in the store, or of the file that it was read from; empty for one that was just made.
    """

    fields: Mapping[str, Any]
    path: str = ""

    @property
    def model_id(self) -> str:
        """Id of the benchmark, which names the folder."""
        return str(self.fields["model_id"])

    @property
    def gpu_type(self) -> str:
        """Exact name of the device."""
        return str(self.fields.get("gpu_type") or "unknown")

    @property
    def timestamp(self) -> str:
        """When it was measured, as it stands there; empty where it does not say."""
        return str(self.fields.get("timestamp") or "")

    @cached_property
    def time(self) -> datetime | None:
        """The same, without a time zone in UTC; None where it is no time."""
        return parse_time(self.timestamp)

    @property
    def commit_sha(self) -> str:
        return str(self.fields.get("commit_sha") or "")

    @property
    def success(self) -> bool:
        return self.fields.get("success") is True

    @property
    def run_source(self) -> str:
        """``pr``, ``local``, ``scheduled_main`` or ``unknown``; empty in older records."""
        return str(self.fields.get("run_source") or "")

    @property
    def weights(self) -> str:
        """``real``, or what they were made of instead (``synthetic``, ``tiny``)."""
        return str(self.fields.get("weights") or "real")

    @property
    def eligible(self) -> bool:
        """Whether it may be part of a baseline. Records that are older than the question are."""
        if "run_source" not in self.fields and "baseline_eligible" not in self.fields:
            return True
        return self.fields.get("baseline_eligible") is True

    @property
    def trusted(self) -> bool:
        """Whether what it was measured with was reviewed: it is eligible, or comes from the main branch's schedule."""
        return self.run_source == "scheduled_main" or self.fields.get("baseline_eligible") is True

    @cached_property
    def identity(self) -> Identity | None:
        """None for a record without.

        Raises:
            UsageError: Only a part of the six fields is there.
        """
        if self.fields.get("result_schema_version") != RESULT_SCHEMA_VERSION and not any(
            key in self.fields for key in IDENTITY_KEYS
        ):
            return None
        given = {key: str(value).strip() for key in IDENTITY_KEYS if (value := self.fields.get(key)) is not None}
        if missing := [key for key in IDENTITY_KEYS if not given.get(key)]:
            raise UsageError(
                f"The performance record {self.path or self.model_id} has no {', '.join(missing)}; a record has all of "
                f"{', '.join(IDENTITY_KEYS)}, or none."
            )
        return Identity(**given)

    @property
    def target(self) -> Target:
        """What it is compared by."""
        return self.identity or Pair(self.model_id, self.gpu_type)

    def value(self, metric: str) -> float | None:
        """What was measured, in the metric's unit; None where it was not."""
        value = self.fields.get(metric)
        return None if value is None else float(value)

    @property
    def order(self) -> tuple[datetime, str]:
        """Records sort by it: by time, those without one first, then by path."""
        return self.time or datetime.min.replace(tzinfo=UTC), self.path


def parse_time(text: str) -> datetime | None:
    """A time of ISO 8601, in UTC where it names no time zone; None for anything else.

    Example:
        >>> parse_time("2026-05-03T10:11:12Z") == parse_time("2026-05-03T10:11:12")
        True
        >>> parse_time("yesterday")
    """
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):  # OverflowError: the first hours of year 1 elsewhere
        return None


def read_record(path: Path) -> PerfRecord:
    """Read a normalised record from a file.

    Raises:
        UsageError: It is missing or none; the message says what it is instead.
    """
    return parse_record(untrusted.read_text(path, "performance record"), str(path))


def parse_record(text: str, source: str) -> PerfRecord:
    """The record of a JSON text; ``source`` says in messages where it stands, and becomes its path.

    Raises:
        UsageError: It is none: a page of a login, a raw result, a part of an identity, a value of another type.
    """
    if text.lstrip()[:1] == "<":
        raise UsageError(
            f"{source} is a web page, not a performance record; addresses of a CI that wants a login answer with one.",
            "Download the file while logged in, or give the token of that CI.",
        )
    value = untrusted.parse_json(text, source)
    if isinstance(value, dict) and any(value.get(name, 0) is None for name in METRICS):
        written = untrusted.parse_json(text, source, any_number=True)  # a NaN is no measurement that was left out
        value |= {name: written[name] for name in METRICS if name in written}
    return checked_record(value, source)


def checked_record(value: Any, source: str) -> PerfRecord:
    """``value``, JSON types, as a record. Raises like :func:`parse_record`."""
    if not isinstance(value, dict):
        raise UsageError(f"{source} is not a performance record, which is a JSON object with a model_id.")
    if "model_id" not in value and ("benchmark_id" in value or "avg_generation_time_s" in value):
        raise UsageError(
            f"{source} is a raw result; a record has the keys model_id, latency, throughput, memory.",
            "Give the normalized_perf_<model_id>_<timestamp>_<commit>.json that was written beside it.",
        )
    if not isinstance(value.get("model_id"), str) or not value["model_id"].strip():
        raise UsageError(f"{source} is not a performance record: it has no model_id.")
    for name in METRICS:
        _check_number(value.get(name), name, source)
    for name, kind in (("success", bool), ("baseline_eligible", bool), ("gpu_type", str), ("timestamp", str)):
        if not isinstance(value.get(name), kind | None):
            raise UsageError(f"{source}: {name} is {value[name]!r}; it must be {_KINDS[kind]}, or null.")
    record = PerfRecord(value, source)
    _ = record.identity
    return record


_KINDS = {bool: "true or false", str: "text"}


def _check_number(value: Any, name: str, source: str) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if value is not None and not number:
        raise UsageError(
            f"{source}: {name} is {value!r}; it must be a finite number, or null where it was not measured."
        )
