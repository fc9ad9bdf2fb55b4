# SPDX-License-Identifier: Apache-2.0
"""What an evaluation found out, as plain data: the rows of ``scores.jsonl`` and the table of ``summary.json``.

Reports, gates and comparisons are made from these files alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fvhydra.core import files, untrusted
from fvhydra.core.errors import UsageError

Status = Literal["ok", "skipped", "failed"]

INFINITE = "infinite"
"""The code of a row whose value is infinite, as the PSNR of equal clips is. JSON holds no infinity, so it has null."""

UNDEFINED = "undefined"
"""The code of a row that has no value of its own, and whose measures count in the value over all samples."""


@dataclass(frozen=True)
class ScoreRow:
    """One sample under one metric.

    Attributes:
        sample: The sample's id.
        metric: The metric's id.
        version: The metric's version.
        params: Hex SHA-256 (first 16 digits) of its parameters and the revisions of its weights.
        content: Hex SHA-256 of what it read of the sample. Same content, metric, version and params: same value.
        status: ``ok``, ``skipped``, ``failed``.
        value: None unless ``ok``; None also for what a sample adds to a set metric, and where it is infinite, or not
            defined for a sample alone.
        code: Why there is no value, from a closed list; with ``ok`` :data:`INFINITE` or :data:`UNDEFINED`.
        message: The same for people; the first line of the error where it failed.
        outputs: Further values by name.
        series: Names of the arrays in the side file ``frames/<sample hash>.npz`` under ``<metric>/<name>``.
        frames: Frames used.
        seconds: Time in this metric, decoding not included.
        clips: The sample's videos as the report shows them: key to path, relative to the run folder or absolute.
        fps: Frames a second of those of them that are folders of frames; None where there are none.
        prompt: The sample's text, for the report.
        tags: What results are grouped by: VBench dimension, action, scenario.
    """

    sample: str
    metric: str
    version: int
    params: str
    content: str
    status: Status
    value: float | None = None
    code: str = ""
    message: str = ""
    outputs: dict[str, Any] = field(default_factory=dict)
    series: list[str] = field(default_factory=list)
    frames: int | None = None
    seconds: float = 0.0
    clips: dict[str, str] = field(default_factory=dict)
    prompt: str = ""
    tags: list[str] = field(default_factory=list)
    fps: float | None = None

    @property
    def key(self) -> tuple[str, str, int, str, str]:
        """The key that equal work has: a row with it need not be made again."""
        return (self.sample, self.metric, self.version, self.params, self.content)

    @property
    def number(self) -> float | None:
        """The value as a number, infinite ones included; None where there is none."""
        return math.inf if self.status == "ok" and self.code == INFINITE else self.value


@dataclass(frozen=True)
class MetricSummary:
    """A metric over the whole evaluation.

    Attributes:
        value: Mean over the samples that have a finite one, or what the metric's own rule says; a set metric's value.
            None where no sample has one.
        rule: ``mean``, or that rule in words.
        interval: 95 % bootstrap interval of a mean (10,000 resamples, seeded), None where there is no mean of several.
        counts: ``ok``, ``skipped``, ``failed``: number of samples.
        infinite: Of the ``ok`` ones, how many have an infinite value, which is in no mean.
        reasons: Code to number of samples, for those without a value.
        message: Why there is no value, or what is not in it.
        series: Name of each array a frame or pair of frames to which way of it is better.
        by_tag: Tag to ``{"value": mean, "ok": samples}``, for values of samples.
        params: The metric's parameters.
        assets: Its weights: name to what was loaded: repository, revision, licence, device.
        comparable_to: Published tables that the value may stand in.
        source: Where the formula is from.
    """

    metric: str
    version: int
    title: str
    kind: str
    direction: str
    unit: str
    value: float | None
    rule: str = "mean"
    interval: tuple[float, float] | None = None
    low: float | None = None
    high: float | None = None
    std: float | None = None
    outputs: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    infinite: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    message: str = ""
    series: dict[str, str] = field(default_factory=dict)
    by_tag: dict[str, dict[str, float]] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    assets: dict[str, dict[str, Any]] = field(default_factory=dict)
    comparable_to: list[str] = field(default_factory=list)
    source: str = ""


def side_file(folder: Path, sample: str) -> Path:
    """Where a run folder keeps a sample's arrays: ``.npz`` with ``<metric>/<name>`` for each name in ``series``."""
    return folder / "frames" / f"{files.sha256_bytes(sample.encode(errors='surrogatepass'))[:16]}.npz"


def write_rows(path: Path, rows: Iterable[ScoreRow]) -> None:
    """Write a row a line, atomically, sorted by sample and metric: equal results are equal files but for the times."""
    ordered = sorted(rows, key=lambda row: (row.sample, row.metric))
    # ASCII: a file's name may be bytes that no other encoding can carry
    lines = [json.dumps(files.plain(row), sort_keys=True, allow_nan=False) for row in ordered]
    files.write_text(path, "".join(f"{line}\n" for line in lines))


def read_rows(path: Path) -> Iterator[ScoreRow]:
    """The inverse of :func:`write_rows`. A last line that was cut off, as a killed writer leaves it, is left out.

    Raises:
        UsageError: Another line is not a row.
    """
    for number, line in untrusted.read_lines(path):
        where = f"{path} line {number}"
        try:
            row = untrusted.typed(ScoreRow, untrusted.parse_json(line, where), f"{where} is not a row of scores")
        except UsageError:
            if not line.endswith(b"\n"):  # only the last can
                return
            raise
        yield row
