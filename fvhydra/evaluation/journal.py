# SPDX-License-Identifier: Apache-2.0
"""Writing results as they come, so that a kill loses only clips in progress, and reading them to resume."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fvhydra.core import files, untrusted
from fvhydra.core.scores import ScoreRow, read_rows, side_file
from fvhydra.evaluation.metric_run import Outcome

SCORES = "scores.jsonl"
_JOURNAL = "journal.jsonl"

_OF_THE_MACHINE = ("no_weights", "no_dependency", "remote_error", "error")
"""Reasons that another attempt may not meet; the others lie in the sample."""

Arrays = Mapping[str, NDArray[np.generic]]


class Journal:
    """The results in a run folder: one line for each row, arrays in files beside them.

    ``frames/<sample>.npz`` has the values a frame, ``contributions/<sample>.npz`` what a sample adds to set metrics;
    both are there before the rows that speak of them.
    """

    def __init__(self, folder: Path, earlier: Iterable[Path] = ()) -> None:
        """Open the journal of a run folder, with what is already known.

        Args:
            folder: The run folder.
            earlier: Folders of other evaluations to take rows from. Those of ``folder`` itself come first.
        """
        self.folder = folder
        self.rows: list[ScoreRow] = []
        self._known: dict[tuple[str, str, int, str, str], tuple[Path, ScoreRow]] = {}
        for source in (folder, *earlier):
            for name in (_JOURNAL, SCORES):
                if (source / name).is_file():
                    for row in read_rows(source / name):
                        if row.status != "failed" and row.code not in _OF_THE_MACHINE:
                            self._known.setdefault(row.key, (source, row))
        with files.explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
        _mend(folder / _JOURNAL)

    def known(self, key: tuple[str, str, int, str, str]) -> Outcome | None:
        """The outcome of an earlier attempt for the same sample, metric, version, parameters and content, or None."""
        if key not in self._known:
            return None
        source, row = self._known[key]
        prefix = f"{row.metric}/"
        series, contribution = (
            {name.removeprefix(prefix): array for name, array in stored.items() if name.startswith(prefix)}
            for stored in (read_arrays(path) for path in arrays_of(source, row.sample))
        )
        return Outcome(row, series, contribution)

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Keep everything that is known of one sample."""
        kept = list(outcomes)
        if not kept:
            return
        frames, contributions = arrays_of(self.folder, kept[0].row.sample)
        for path, arrays in (
            (frames, [(item.row.metric, item.series) for item in kept]),
            (contributions, [(item.row.metric, item.contribution) for item in kept]),
        ):
            named = {f"{metric}/{name}": array for metric, found in arrays for name, array in found.items()}
            if named:
                write_arrays(path, named)
        lines = [json.dumps(files.plain(item.row), allow_nan=False) + "\n" for item in kept]
        journal = self.folder / _JOURNAL
        with files.explained(journal), open(journal, "a", encoding="utf-8", newline="\n") as handle:
            handle.write("".join(lines))
        self.rows += [item.row for item in kept]

    def close(self) -> None:
        """Close the journal; all rows are in ``scores.jsonl``."""
        (self.folder / _JOURNAL).unlink(missing_ok=True)


def arrays_of(folder: Path, sample: str) -> tuple[Path, Path]:
    """Where a sample's values of single frames are kept, and what it contributes to set metrics."""
    frames = side_file(folder, sample)
    return frames, folder / "contributions" / frames.name


def contribution(folder: Path, row: ScoreRow) -> Arrays:
    """What a sample adds to a set metric."""
    prefix = f"{row.metric}/"
    stored = read_arrays(arrays_of(folder, row.sample)[1])
    return {name.removeprefix(prefix): array for name, array in stored.items() if name.startswith(prefix)}


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Write an ``.npz``, atomically."""
    with files.atomic_path(path, suffix=".npz") as temporary:
        np.savez(temporary, **arrays)  # type: ignore[arg-type]  # the stub takes the names for options


def read_arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    """Read an ``.npz``; empty where there is none."""
    return untrusted.read_arrays(path) if path.is_file() else {}


def _mend(journal: Path) -> None:
    """Remove an incomplete last line that a kill left, so that the next row begins a line."""
    if not journal.is_file():
        return
    end = journal.stat().st_size
    with open(journal, "rb+") as written:
        while end:  # a line may be long, and the file longer than the memory
            begin = max(end - untrusted.LINE_BYTES, 0)
            written.seek(begin)
            if (found := written.read(end - begin).rfind(b"\n")) >= 0:
                written.truncate(begin + found + 1)
                return
            end = begin
        written.truncate(0)
