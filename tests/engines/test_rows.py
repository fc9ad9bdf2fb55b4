# SPDX-License-Identifier: Apache-2.0
"""Rows of a trace: statistics and hashes of tensors as they were, in the order in which they came."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from fvhydra.engines.base import SAMPLE, TracedTensor
from fvhydra.engines.pipeline import rows as module
from fvhydra.engines.pipeline.rows import Rows


def rows_of(*values: torch.Tensor) -> list[TracedTensor]:
    rows = Rows()
    for index, each in enumerate(values):
        rows.add(f"m{index}", "out", None, 0, each, lasting=False)
    return rows.finish()


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "values",
    [
        drawn(2, 3, 5),
        drawn(7, 9).T,
        drawn(300, 300),
        drawn(50).bfloat16(),
        drawn(50).double(),
        torch.arange(5),
        torch.tensor(2.5, dtype=torch.float64),
        torch.tensor([True, False]),
        torch.complex(drawn(4), drawn(4)),
    ],
    ids=lambda values: f"{values.dtype}-{list(values.shape)}".removeprefix("torch."),
)
def test_a_row_has_the_numbers_of_its_tensor(values: torch.Tensor) -> None:
    first, row, last = rows_of(drawn(3) + 9, values, drawn(3) - 9)
    plain = values.contiguous()
    floats = (torch.view_as_real(plain) if plain.is_complex() else plain).reshape(-1).float()
    assert (row.shape, row.dtype) == (list(values.shape), str(values.dtype).removeprefix("torch."))
    assert row.abs_mean == pytest.approx(float(floats.double().abs().mean()), rel=1e-9)
    assert row.sum == pytest.approx(float(floats.double().sum()), rel=1e-9, abs=1e-9)
    assert row.max == float(floats.abs().max())
    assert row.sha256 == hashlib.sha256(bytes(plain.reshape(-1).view(torch.uint8).tolist())).hexdigest()
    assert row.sample is not None and row.sample.size == min(floats.numel(), SAMPLE)
    assert (row.sample[0], row.sample[-1]) == (float(floats[0]), float(floats[-1]))
    assert first.max > 6 and last.sum < -18  # type: ignore[operator]  # its neighbours have their own


def test_what_is_written_over_later_is_as_it_was() -> None:
    values, rows = torch.ones(4), Rows()
    rows.add("m", "out", 0, 0, values, lasting=False)
    values.zero_()
    assert [row.sum for row in rows.finish()] == [4.0]


def test_values_that_are_not_finite_are_told() -> None:
    nan, infinite, fine = rows_of(torch.tensor([1.0, float("nan")]), torch.tensor([float("inf")]), torch.tensor([1.0]))
    assert np.isnan(np.array([nan.sum, nan.max], float)).all() and infinite.max == float("inf")
    assert (fine.sum, fine.max) == (1.0, 1.0)


def test_nothing_has_no_numbers() -> None:
    [row] = rows_of(torch.empty(0, 3))
    assert (row.shape, row.abs_mean, row.sum, row.max) == ([0, 3], None, None, None)


def test_many_copies_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    statistics = module._statistics
    monkeypatch.setattr(module, "KEPT_BYTES", 100)

    def counted(arrays: Sequence[NDArray[np.float32]]) -> list[module.Statistics]:
        asked.append(len(arrays))
        return statistics(arrays)

    monkeypatch.setattr(module, "_statistics", counted)
    rows = Rows()
    for index in range(7):
        rows.add(f"m{index}", "out", None, 0, torch.ones(10), lasting=False)
    assert asked == [3, 3]
    assert [row.module for row in rows.finish()] == [f"m{index}" for index in range(7)]
