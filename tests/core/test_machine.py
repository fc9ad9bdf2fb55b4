# SPDX-License-Identifier: Apache-2.0
"""What this process may use."""

from __future__ import annotations

import os

import pytest

from fvhydra.core.errors import UsageError
from fvhydra.core.machine import cpus


def test_a_share_of_the_cpus_counts_before_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FVHYDRA_CPUS", raising=False)
    assert cpus() == len(os.sched_getaffinity(0))
    monkeypatch.setenv("FVHYDRA_CPUS", "3")
    assert cpus() == 3


@pytest.mark.parametrize("given", ["0", "-1", "1.5", "many"])
def test_what_is_no_number_of_cpus_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("FVHYDRA_CPUS", given)
    with pytest.raises(UsageError, match=f"FVHYDRA_CPUS={given} must be a number of CPUs"):
        cpus()


def test_what_is_allowed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FVHYDRA_CPUS", "x")
    with pytest.raises(UsageError) as refused:
        cpus()
    assert refused.value.message == "FVHYDRA_CPUS=x must be a number of CPUs, 1 or more."
    monkeypatch.setenv("FVHYDRA_CPUS", "1")
    assert cpus() == 1


def test_a_system_without_affinity_has_all_its_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FVHYDRA_CPUS", raising=False)
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert cpus() == 7
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cpus() == 1


def test_only_cpus_that_this_process_may_run_on_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FVHYDRA_CPUS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 5} if pid == 0 else set())
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert cpus() == 2
