# SPDX-License-Identifier: Apache-2.0
"""Traces as files of JSON lines: ours, and those that FastVideo writes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fvhydra.core import files, untrusted
from fvhydra.core.errors import UsageError
from fvhydra.engines.base import Trace, TracedTensor

_STATISTICS = ("shape", "dtype", "abs_mean", "sum", "max")
"""What ``FASTVIDEO_TRACE_STATS`` chooses from."""
_KEPT = ("module", "tensor", "step", "shape", "dtype", "abs_mean", "sum", "max", "sha256")


def write_trace(path: Path, trace: Trace) -> None:
    """Write a trace: an object a line, with module, tensor, step, shape, dtype, statistics and hash, in order."""
    lines = (json.dumps({key: files.plain(getattr(row, key)) for key in _KEPT}) for row in trace.rows)
    files.write_text(path, "".join(f"{line}\n" for line in lines))


def statistics_of(rows: Sequence[TracedTensor]) -> list[str]:
    """What is known of a trace's tensors beside their names, as ``FASTVIDEO_TRACE_STATS`` chose."""
    return [name for name in _STATISTICS if any(getattr(row, name) not in (None, "", []) for row in rows)]


def read_trace(path: Path) -> list[TracedTensor]:
    """Read a trace, ours or FastVideo's (``FASTVIDEO_TRACE_OUTPUT``), which has what ``FASTVIDEO_TRACE_STATS`` names.

    Rows with the same module, tensor and step are told apart by their order. A statistic that failed, or is not finite,
    is None. FastVideo traces its ``transformer`` alone and names what is inside of it; its ``max`` is no absolute
    value, and becomes one where there is a ``min`` too.

    Raises:
        UsageError: It is none, or a line of it is no row.
    """
    rows: list[TracedTensor] = []
    seen: Counter[tuple[str, str, int | None]] = Counter()
    for number, line in untrusted.read_lines(path, "trace"):
        if line.strip():
            row = _row(untrusted.parse_json(line, f"{path} line {number}"), f"{path} line {number}")
            row.call = seen[row.module, row.tensor, row.step]
            seen[row.module, row.tensor, row.step] += 1
            rows.append(row)
    return rows


def _row(data: Any, where: str) -> TracedTensor:
    if not isinstance(data, dict) or not all(isinstance(data.get(key), str) for key in ("module", "tensor")):
        raise UsageError(f"{where} is no row of a trace: it needs a module and a tensor, both text.")
    step, shape = data.get("step"), data.get("shape")
    if not (step is None or (isinstance(step, int) and not isinstance(step, bool))):
        raise UsageError(f"{where}: step is {step!r}; it must be a whole number, or null outside of the loop.")
    sizes = shape if isinstance(shape, list) and all(isinstance(size, int) for size in shape) else []
    ours = "sha256" in data
    low, high = (_number(data.get(key)) for key in ("min", "max"))
    most = high if ours else None if low is None or high is None else max(abs(low), abs(high))
    return TracedTensor(
        module=data["module"] if ours else f"transformer.{data['module']}",
        tensor=data["tensor"],
        step=step,
        call=0,
        shape=sizes,
        dtype=str(data.get("dtype") or "").removeprefix("torch."),
        sha256=str(data.get("sha256") or ""),
        abs_mean=_number(data.get("abs_mean")),
        sum=_number(data.get("sum")),
        max=most,
    )


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
