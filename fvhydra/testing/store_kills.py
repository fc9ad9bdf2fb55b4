# SPDX-License-Identifier: Apache-2.0
"""What every store must keep when a process is killed while it writes."""

from __future__ import annotations

import itertools
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fvhydra.stores.base import Store
from fvhydra.testing.store_sites import StoreFixtures, StoreSite, contents, messages
from fvhydra.testing.store_writers import commit_for_ever, commit_in_step, die_at, processes


class StoreEndurance(StoreFixtures):
    """Kills at every point there is: minutes rather than seconds, beside ``StoreContract``. Subclass it like that."""

    @pytest.mark.parametrize("before", [0, 1], ids=["first commit", "later commit"])
    def test_a_kill_before_any_call_to_the_system_leaves_all_or_nothing(
        self, make_site: Callable[[Path], StoreSite], tmp_path: Path, before: int
    ) -> None:
        kill_before_calls(make_site, tmp_path, before, stride=1)

    def test_a_kill_at_any_moment_leaves_all_or_nothing(self, site: StoreSite, tmp_path: Path) -> None:
        clock = random.Random(7)
        first = 0
        for _ in range(50):
            begun = processes.Event()
            writer = processes.Process(target=commit_for_ever, args=(site.open, first, begun))
            writer.start()
            begun.wait(30)
            time.sleep(clock.uniform(0.05, 0.4))
            writer.kill()
            writer.join()
            store = site.open()
            done = messages(store, "step")
            assert done == [f"step {number}" for number in reversed(range(len(done)))]
            if done:
                assert one_step(store, tmp_path) == str(len(done) - 1)
            first = len(done)
        assert first > 20, "the kills hit nothing"


def kill_before_calls(make_site: Callable[[Path], StoreSite], folder: Path, before: int, stride: int) -> None:
    """Kill a commit before its first call to the system, another before a later one, and so on until one gets through.

    Args:
        make_site: Makes a place for a store.
        folder: Where.
        before: Commits that are there already.
        stride: Calls from one kill to the next.
    """
    for calls in itertools.count(step=stride):
        site = make_site(folder / str(calls))
        for number in range(before):
            commit_in_step(site.open, number)
        victim = processes.Process(target=die_at, args=(site.open, before, calls))
        victim.start()
        victim.join()
        assert victim.exitcode in (0, -signal.SIGKILL)

        store = site.open()
        done = messages(store, "step")
        assert done in ([f"step {number}" for number in reversed(range(count))] for count in (before, before + 1))
        if done:
            assert one_step(store, folder) == str(len(done) - 1)
        commit_in_step(site.open, before)
        assert one_step(store, folder) == str(before)
        assert len(messages(store, "step")) == before + 1
        if victim.exitcode == 0:
            break
    assert calls >= 10, "the kills did not happen"


def one_step(store: Store, folder: Path) -> str:
    """The step that the store is at; fails when its files are of several."""
    found = contents(store, folder, "step", store.head())
    steps = {data.split()[0] for data in found.values()}
    assert len(found) == 3 and len(steps) == 1, found
    return steps.pop().decode()
