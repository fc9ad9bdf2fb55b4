# SPDX-License-Identifier: Apache-2.0
"""Traces in files: what is written is read again, and so are FastVideo's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fvhydra.core.errors import UsageError
from fvhydra.engines.base import GeneratedMedia, Trace, TracedTensor
from fvhydra.parity.divergence import first_divergence
from fvhydra.parity.trace_file import read_trace, write_trace


def row(module: str, step: int | None, size: float) -> TracedTensor:
    sample = np.array([size, -size], np.float32)
    return TracedTensor(module, "out", step, 0, [2], "float32", size, 0.0, size, f"{size:064}", sample)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    written = [row("a", None, 1.0), row("a.b", 0, 2.0), row("a.b", 1, 3.0)]
    write_trace(tmp_path / "t.jsonl", Trace(GeneratedMedia(), written))
    read = read_trace(tmp_path / "t.jsonl")
    found = first_divergence(written, read, 0.0)
    assert (found.first, found.equal, found.compared) == (None, 3, 3)
    assert [each.sample for each in read] == [None, None, None]


def test_the_trace_of_fastvideo_is_read(tmp_path: Path) -> None:
    lines = [
        {"module": "blocks.0", "tensor": "out[0].key[1]", "step": 0, "abs_mean": 0.5, "sum": 1.5},
        {"module": "blocks.0", "tensor": "out[0].key[1]", "step": 0, "abs_mean": "<error: no values>", "sum": 2},
        {"module": "blocks.0", "tensor": "out", "step": None, "shape": [1, 2], "dtype": "torch.bfloat16"},
    ]
    text = "\n".join(map(json.dumps, lines)).replace('"sum": 2', '"sum": NaN')
    (tmp_path / "t.jsonl").write_text(text)
    first, second, third = read_trace(tmp_path / "t.jsonl")
    assert (first.call, second.call, first.abs_mean, first.sum) == (0, 1, 0.5, 1.5)
    assert (second.abs_mean, second.sum) == (None, None)
    assert (third.step, third.shape, third.dtype) == (None, [1, 2], "bfloat16")


@pytest.mark.parametrize(
    "line", ["[]", "{}", '{"module": 1, "tensor": "out"}', '{"module": "a", "tensor": "b", "step": "0"}']
)
def test_a_line_that_is_no_row_is_named(line: str, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text(f'{{"module": "a", "tensor": "out"}}\n{line}\n')
    with pytest.raises(UsageError, match="line 2"):
        read_trace(tmp_path / "t.jsonl")
