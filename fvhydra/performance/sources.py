# SPDX-License-Identifier: Apache-2.0
"""Sources of a re-seed: normalised records from files and addresses, all of one target, none of them twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fvhydra.core import files
from fvhydra.core.errors import UsageError
from fvhydra.performance.download import download, is_address, public_address, refuse_no_address
from fvhydra.performance.record import IDENTITY_KEYS, METRICS, PerfRecord, Target, read_record

MOST_SOURCES = 100

_MEASURED_AT = ("commit_sha", "timestamp")


@dataclass(frozen=True)
class Source:
    """A record that a person gave.

    Attributes:
        given: Its path or address, as it may be written down.
        record: What it says.
        sha256: Of its file.
    """

    given: str
    record: PerfRecord
    sha256: str


def refuse_none(given: Sequence[str]) -> None:
    """Refuse no sources, too many, one given twice, and files that are not there; nothing is read or fetched yet.

    Raises:
        UsageError: Says which.
    """
    if not given:
        raise UsageError(
            "No source is given: a baseline moves by normalised records only.",
            "Add op.source_result=<normalized_perf_....json or its address>, or op.source_results=[<one>,<another>].",
        )
    if len(given) > MOST_SOURCES:
        raise UsageError(f"{len(given)} sources are given; at most {MOST_SOURCES} are taken.")
    places: dict[str, str] = {}
    for one in given:
        place = one if is_address(one) else str(files.given_path(one).resolve())
        if place in places:
            raise UsageError(f"The source {public_address(one)} is given twice.", "A measurement counts once.")
        places[place] = one
        if is_address(one):
            refuse_no_address(one)
        elif "://" in one:
            raise UsageError(
                f"{public_address(one)} is no source: addresses are fetched by http and https only.",
                "Download it, and give its path.",
            )
        else:
            files.regular_file(Path(place), "performance record")


def read_sources(
    given: Sequence[str], downloads: Path, told_apart_by: Sequence[str] = ()
) -> tuple[list[Source], list[str]]:
    """Read all sources, and order them by when they were measured.

    Args:
        given: Paths and addresses.
        downloads: Folder for what is fetched; made if need be.
        told_apart_by: Keys of which no two sources may have the same value, as ``job_id``; the same content, and the
            same commit and time, never may be there twice.

    Returns:
        The sources, the earliest first, and a warning about those whose place nobody knows.

    Raises:
        UsageError, InfrastructureError: One cannot be had, is none, or is another one again.
    """
    refuse_none(given)
    found = []
    for number, one in enumerate(given, 1):
        path = download(one, downloads, f"{number:02}") if is_address(one) else files.given_path(one)
        shown = public_address(one) if is_address(one) else one
        found.append(Source(shown, PerfRecord(read_record(path).fields, shown), files.sha256_file(path)))
    _refuse_twins(found, told_apart_by)
    return _in_order(found)


def common_target(sources: Sequence[Source]) -> Target:
    """What all sources are of.

    Raises:
        UsageError: They are of several targets, by one kind of record or by both.
    """
    first, *others = sources
    for other in others:
        if (first.record.identity is None) != (other.record.identity is None):
            raise UsageError(
                f"{first.given} and {other.given} are records of two kinds: only one of them has an identity "
                f"({', '.join(IDENTITY_KEYS)}).",
                "Re-seed each kind by itself.",
            )
        if first.record.target != other.record.target:
            raise UsageError(
                f"{first.given} is of {first.record.target}, and {other.given} of {other.record.target}; one baseline "
                "is moved at a time.",
                "Give the sources of one of them.",
            )
        if first.record.weights != other.record.weights:
            raise UsageError(
                f"{first.given} was measured with {first.record.weights} weights, and {other.given} with "
                f"{other.record.weights} weights; they are never compared.",
                "Give the sources of one sort.",
            )
    return first.record.target


def refuse_others(sources: Sequence[Source], model_id: str, gpu_type: str) -> None:
    """Refuse sources of another model or device than was asked for; empty asks for any.

    Raises:
        UsageError: Names the source, what it is of, and what was asked for.
    """
    for source in sources:
        for key, wanted, given in (
            ("model_id", model_id, source.record.model_id),
            ("gpu_type", gpu_type, source.record.gpu_type),
        ):
            if wanted and wanted != given:
                raise UsageError(
                    f"{source.given} is of {key} {given!r}, not of op.{key}={wanted!r}; nothing was prepared.",
                    "Give sources of that target alone, with its names exactly as records have them.",
                )


def refuse_undeclared(sources: Sequence[Source], store: str) -> None:
    """Refuse measurements of a benchmark that nobody declared, for a store that others share.

    Args:
        store: Its location, for the message.

    Raises:
        UsageError: Names the first.
    """
    for source in sources:
        if source.record.fields.get("benchmark_declared") is False:
            raise UsageError(
                f"{source.given} was measured without a declared benchmark: its ids were made up there and are nobody "
                f"else's, so it moves no baseline in {store}, which others share.",
                "Measure with benchmark=<name> or op.benchmark_file=<its JSON>.",
            )


def refuse_unmeasured(sources: Sequence[Source]) -> None:
    """Refuse sources that measured nothing at all.

    Raises:
        UsageError: Names the first.
    """
    for source in sources:
        if all(source.record.value(name) is None for name in METRICS):
            raise UsageError(f"{source.given} has no measurement: {', '.join(METRICS)} are all null.")


def _refuse_twins(sources: Sequence[Source], keys: Sequence[str]) -> None:
    """The same bytes, or the same measurement, under two names."""
    known: dict[tuple[str, ...], Source] = {}
    for source in sources:
        for mark in _marks(source, keys):
            if (other := known.setdefault(mark, source)) is not source:
                raise UsageError(
                    f"{source.given} is {other.given} again (the same {mark[0]}); a measurement counts once.",
                    "Give each source once.",
                )


def _marks(source: Source, keys: Sequence[str]) -> Iterator[tuple[str, ...]]:
    fields = source.record.fields
    yield "content", source.sha256
    target = str(source.record.target)  # a job may measure several benchmarks
    for key in keys:
        if fields.get(key):
            yield key, str(fields[key]), target
    if all(fields.get(key) for key in _MEASURED_AT):
        yield "commit and time", *(str(fields[key]) for key in _MEASURED_AT), target


def _in_order(sources: list[Source]) -> tuple[list[Source], list[str]]:
    """By original timestamp; those without one keep their places, and the others are sorted around them."""
    timed = iter(sorted((s for s in sources if s.record.time), key=lambda s: s.record.order[0]))
    ordered = [next(timed) if source.record.time else source for source in sources]
    undated = [source.given for source in sources if source.record.time is None]
    said = [f"{given} has no time that can be read; it stays where it was given." for given in undated]
    return ordered, said
