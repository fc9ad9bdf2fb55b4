# SPDX-License-Identifier: Apache-2.0
"""All records of a store, and what of them a baseline is made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fvhydra.core.errors import UsageError
from fvhydra.performance.record import METRICS, Identity, PerfRecord, Target, read_record
from fvhydra.performance.statistics import median_of
from fvhydra.stores.base import Store
from fvhydra.stores.layout import is_record

WINDOW = 5
"""Records that a baseline is the median of."""


@dataclass(frozen=True)
class Baseline:
    """What a record is compared with.

    Attributes:
        target: What it is of.
        records: The last eligible successes, oldest first; none where there is no baseline.
        eligible: How many there are at all.
    """

    target: Target
    records: tuple[PerfRecord, ...]
    eligible: int

    @property
    def medians(self) -> dict[str, float | None]:
        """Median of each metric over those records that measured it."""
        return medians(self.records)


def medians(records: Iterable[PerfRecord]) -> dict[str, float | None]:
    """Median of each metric over those of the records that measured it; None where none did."""
    found = list(records)
    return {name: median_of(record.value(name) for record in found) for name in METRICS}


@dataclass(frozen=True)
class History:
    """The records of a store at one revision.

    Attributes:
        records: By time, those without one first, then by path.
        revision: Of the store.
        problems: A sentence on each file that should be a record and is none.
    """

    records: tuple[PerfRecord, ...]
    revision: str = ""
    problems: tuple[str, ...] = ()

    @classmethod
    def of_records(cls, records: Iterable[PerfRecord], revision: str = "", problems: Iterable[str] = ()) -> History:
        """The same of records in any order."""
        return cls(tuple(sorted(records, key=lambda record: record.order)), revision, tuple(problems))

    def of(self, target: Target, weights: str | None = "real") -> list[PerfRecord]:
        """All records of a target, failures and ineligible ones too.

        Args:
            target: Six fields, searched over all folders, or model and device.
            weights: Only those measured with such weights; None: with any.
        """
        return [record for record in self.records if target.matches(record) and weights in (None, record.weights)]

    def baseline(self, target: Target, weights: str | None = "real", size: int = WINDOW) -> Baseline:
        """The last eligible successes of a target."""
        eligible = [record for record in self.of(target, weights) if record.success and record.eligible]
        return Baseline(target, tuple(eligible[-size:]), len(eligible))

    def trusted_with_another_recipe(self, identity: Identity, weights: str | None = "real") -> list[PerfRecord]:
        """Trusted successes of the same workload, variant and version by another recipe, on any machine."""
        return [
            record
            for record in self.records
            if record.identity is not None
            and record.identity.same_benchmark(identity)
            and record.identity.recipe_fingerprint != identity.recipe_fingerprint
            and record.success
            and record.trusted
            and weights in (None, record.weights)
        ]


def read_history(store: Store, folder: Path, *, strict: bool = False) -> History:
    """Bring the records of a store's newest revision here, each byte verified, and read them.

    Args:
        store: Any.
        folder: A copy of the records that may be there from before; only what differs is transferred.
        strict: A file that should be a record and is none is an error. Otherwise it is named in ``problems``.

    Raises:
        StoreError: The store cannot be reached, or is damaged: a history that is not the newest is none.
        UsageError: See ``strict``.
    """
    revision = store.head()
    paths = [path for path in store.files("", revision) if is_record(path)]
    local = store.fetch(paths, folder, revision) if paths else {}
    records, problems = [], []
    for path in paths:
        try:
            records.append(PerfRecord(read_record(local[path]).fields, path))
        except UsageError as error:
            problems.append(error.message.replace(str(local[path]), f"{path} of {store.location}"))
    if strict and problems:
        raise UsageError(
            f"{problems[0]} ({len(problems)} such file(s) in {store.location})",
            "Correct it first, with a reviewed change (op=supersede_perf).",
        )
    return History.of_records(records, revision, problems)
