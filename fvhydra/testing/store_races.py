# SPDX-License-Identifier: Apache-2.0
"""What every store must keep when several write at once, and when one is killed while it writes."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fvhydra.core.errors import Conflict, Exists
from fvhydra.stores.base import Store
from fvhydra.testing.store_kills import kill_before_calls, one_step
from fvhydra.testing.store_sites import StoreFixtures, StoreSite, contents, messages
from fvhydra.testing.store_writers import at_once, commit_for_ever, commit_in_step, compete, processes


class StoreRaces(StoreFixtures):
    """Writers and readers at the same time, in threads and processes, and kills."""

    def test_two_writers_of_other_paths_both_get_in(self, make_store: Callable[[], Store], tmp_path: Path) -> None:
        for turn in range(10):
            wanted = {f"{turn}/{name}": name.encode() for name in "ab"}
            outcomes = _together(
                *(
                    partial(make_store().commit, {path: wanted[path]}, must_be_absent=True, message="m")
                    for path in wanted
                )
            )
            assert all(isinstance(outcome, str) for outcome in outcomes), outcomes
            assert contents(make_store(), tmp_path, str(turn)) == wanted

    @pytest.mark.parametrize("data", [(b"same", b"same"), (b"one", b"two")], ids=["same content", "other content"])
    def test_of_two_writers_of_one_path_one_gets_in(
        self, make_store: Callable[[], Store], tmp_path: Path, data: tuple[bytes, bytes]
    ) -> None:
        for turn in range(10):
            path, parent = f"{turn}/x", make_store().head()
            outcomes = _together(
                partial(make_store().commit, {path: data[0]}, must_be_absent=True, message="m"),
                partial(make_store().commit, {path: data[1]}, parent=parent, message="m"),
            )
            kinds = Counter(type(outcome) for outcome in outcomes)
            assert kinds[str] == 1 and kinds[Exists] + kinds[Conflict] == 1, outcomes
            winner = next(index for index, outcome in enumerate(outcomes) if isinstance(outcome, str))
            assert contents(make_store(), tmp_path, path) == {path: data[winner]}
            assert len(messages(make_store(), path)) == 1

    def test_one_operation_by_two_at_once_is_one_commit(self, make_store: Callable[[], Store]) -> None:
        for turn in range(10):
            change: dict[str, Any] = {
                "must_be_absent": True,
                "message": "m",
                "provenance": {"operation": f"operation {turn}"},
            }
            outcomes = _together(*(partial(make_store().commit, {f"{turn}/x": b"1"}, **change) for _ in range(3)))
            assert len(set(outcomes)) == 1 and isinstance(outcomes[0], str), outcomes
            assert len(messages(make_store(), f"{turn}")) == 1

    def test_twelve_processes(self, site: StoreSite, store: Store, tmp_path: Path) -> None:
        outcomes = Counter(at_once(12, tmp_path / "go", compete, site.open, 3))
        assert outcomes == {"won": 1, "Exists": 11}
        assert len(store.files("won")) == 1
        wanted = {f"own/{i}/{n}": b"%d %d" % (i, n) for i in range(12) for n in range(3)}
        assert contents(store, tmp_path, "own") == wanted
        assert len(messages(store, "own")) == 36

    def test_a_reader_sees_whole_commits_while_others_write(
        self, site: StoreSite, store: Store, tmp_path: Path
    ) -> None:
        commit_in_step(site.open, 0)
        writer = processes.Process(target=commit_for_ever, args=(site.open, 1))
        writer.start()
        seen: set[str] = set()
        end = time.monotonic() + 60
        while len(seen) < 10 and time.monotonic() < end:
            seen.add(one_step(store, tmp_path))
        writer.kill()
        writer.join()
        assert len(seen) == 10

    @pytest.mark.parametrize("before", [0, 1], ids=["first commit", "later commit"])
    def test_a_kill_before_some_calls_to_the_system_leaves_all_or_nothing(
        self, make_site: Callable[[Path], StoreSite], tmp_path: Path, before: int
    ) -> None:
        kill_before_calls(make_site, tmp_path, before, stride=5)


def _together(*works: Callable[[], object]) -> list[object]:
    """Run in threads from one moment on; an exception is its outcome."""
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> object:
        barrier.wait()
        try:
            return work()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))
