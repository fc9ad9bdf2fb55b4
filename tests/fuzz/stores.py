# SPDX-License-Identifier: Apache-2.0
"""Faults and kills in the middle of commits: nothing is lost, doubled or half-written, whatever goes wrong where.

``python -m tests.fuzz.stores [seed] [count]`` prints the table.
"""

from __future__ import annotations

import errno
import logging
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from fvhydra.config.store import LocalStoreConfig
from fvhydra.core.errors import Corrupt, FvhydraError, Unavailable
from fvhydra.stores.base import Store
from fvhydra.stores.local import LocalStore
from fvhydra.testing.store_writers import die_at, processes
from tests.contracts.store_sites import HubSite, LocalSite, hub_config, open_store
from tests.fuzz.ledger import Ledger, Step
from tests.fuzz.rows import Row, table
from tests.servers.hub import HubServer

_STEPS_A_STORE = 12
"""A history is read at each commit; a new store now and then keeps the run short."""


def run(seed: int, count: int) -> list[Row]:
    """Try about ``count`` misfortunes; the first that breaks a promise is raised, with its number.

    Args:
        seed: Of all that is drawn: the same seed tries the same things in the same order.
        count: Of all classes together.

    Raises:
        AssertionError: A commit was lost, doubled or half-written, or the store is not whole afterwards.
    """
    # a commit stands even if current/ could not be shown; that it says so is tested elsewhere
    logging.getLogger("fvhydra.stores").setLevel(logging.ERROR)
    kinds = _kinds()
    shares = sum(share for _, _, share in kinds)
    rows = []
    for what, trial, share in kinds:
        number = max(1, round(count * share / shares))
        with tempfile.TemporaryDirectory() as folder:
            outcomes = _tried(what, trial, number, random.Random(f"{seed} {what}"), Path(folder))
        rows.append(Row(what, number, "0 lost, 0 doubled, 0 half-written; " + _said(outcomes)))
    return rows


Trial = Callable[[random.Random, "Place"], str]


@dataclass
class Place:
    """Where one class is tried: a store with its ledger, made anew now and then."""

    folder: Path
    hub: HubServer | None = None
    number: int = 0
    bound: int = 80
    """Calls to the system that a commit makes, about."""
    sites: list[Any] = field(default_factory=list)
    _ledger: Ledger | None = None

    def ledger(self, make: Callable[[Path], Callable[[], Store]]) -> Ledger:
        if self._ledger is None or len(self._ledger.done) >= _STEPS_A_STORE:
            self.number += 1
            home = self.folder / str(self.number)
            home.mkdir()
            self._ledger = Ledger(make(home))
        return self._ledger

    def local(self) -> Ledger:
        return self.ledger(lambda home: partial(_local, home / "store"))

    def on_the_hub(self) -> Ledger:
        if self.hub is None:
            self.hub = HubServer()
        server = self.hub

        def make(home: Path) -> Callable[[], Store]:
            name = f"alice/refs-{self.number}"
            server.create(name)
            config = hub_config(server, name, home / "cache", retry_s=20.0, timeout_s=0.5)
            return partial(open_store, config)

        return self.ledger(make)


def _tried(what: str, trial: Trial, number: int, dice: random.Random, folder: Path) -> Counter[str]:
    place, outcomes = Place(folder), Counter[str]()
    try:
        for index in range(number):
            try:
                outcomes[trial(dice, place)] += 1
            except Exception as error:
                raise AssertionError(f"{what}, number {index}: {error!r}") from error
    finally:
        if place.hub is not None:
            place.hub.__exit__(None, None, None)
    return outcomes


def _said(outcomes: Counter[str]) -> str:
    return ", ".join(f"{number} {outcome}" for outcome, number in outcomes.most_common())


# ------------------------------------------------------------------ a call to the system fails
_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EACCES, errno.ESTALE, errno.EMFILE, errno.EROFS)


class _Failing:
    """Makes one call to the system fail, or all that write from one on: of this process, by an audit hook."""

    left = -1
    error = 0
    lasting = False
    hooked = False

    @classmethod
    @contextmanager
    def at(cls, calls: int, error: int, lasting: bool) -> Iterator[None]:
        if not cls.hooked:
            sys.addaudithook(cls._audited)
            cls.hooked = True
        cls.left, cls.error, cls.lasting = calls, error, lasting
        try:
            yield
        finally:
            cls.left, cls.lasting = -1, False

    @classmethod
    def _audited(cls, event: str, details: tuple[Any, ...]) -> None:
        if cls.left < 0 or not (event == "open" or event.startswith("os.")):
            return
        cls.left -= 1
        if cls.left == -1:
            if cls.lasting and (event in ("os.link", "os.mkdir", "os.rename") or _writes(event, details)):
                cls.left = 0  # and so for the next
            raise OSError(cls.error, os.strerror(cls.error), str(details[0]) if details else None)


def _writes(event: str, details: tuple[Any, ...]) -> bool:
    flags = details[2] if event == "open" and len(details) > 2 else 0
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def _failing_call(dice: random.Random, place: Place) -> str:
    ledger = place.local()
    step, calls = ledger.draw(dice), dice.randrange(place.bound)
    failed = False
    with _Failing.at(calls, dice.choice(_ERRORS), dice.random() < 0.3):
        try:
            step.commit(ledger.open_store())
        except FvhydraError:
            failed = True
    landed = ledger.settle(step)
    assert landed or failed, "it said that it was done, and it is not"
    return "done all the same" if landed else "refused and done again"


# ------------------------------------------------------------------ the process is killed
def _killed(make_site: Callable[[Path], Any], dice: random.Random, place: Place) -> str:
    """``fvhydra.testing.store_writers`` kills right before one call to the system, of any thread."""
    if not place.sites or place.sites[-1][1] >= _STEPS_A_STORE:
        place.number += 1
        place.sites.append([make_site(place.folder / f"site-{place.number}"), 0])
    site, number = place.sites[-1]
    while True:
        calls = dice.randrange(place.bound)
        victim = processes.Process(target=die_at, args=(site.open, number, calls))
        victim.start()
        victim.join()
        if victim.exitcode == -signal.SIGKILL:
            break
        assert victim.exitcode == 0, victim.exitcode
        place.bound = max(calls, 10)  # it had ended before
        number += 1
    store = site.open()
    made = [entry.message for entry in store.log("step")]
    assert made in ([f"step {n}" for n in reversed(range(count))] for count in (number, number + 1)), made
    landed = len(made) == number + 1
    _commit_step(site.open, number)
    store = site.open()
    assert [entry.message for entry in store.log("step")] == [f"step {n}" for n in reversed(range(number + 1))]
    with tempfile.TemporaryDirectory() as scratch:
        fetched = store.fetch(store.files("step"), Path(scratch))
        assert {file.read_bytes() for file in fetched.values()} == {f"{number} {name}".encode() for name in "abc"}
    place.sites[-1][1] = number + 1
    return "done when killed" if landed else "not yet done, and done again"


def _commit_step(open_it: Callable[[], Store], number: int) -> None:
    contents = {f"step/{name}": f"{number} {name}".encode() for name in "abc"}
    open_it().commit(contents, message=f"step {number}", provenance={"operation": f"step-{number}"})


# ------------------------------------------------------------------ what is kept is harmed
def _harmed_object(dice: random.Random, place: Place) -> str:
    ledger = place.local()
    step = ledger.draw(dice)
    step.commit(ledger.open_store())
    ledger.made(step)
    name, data = dice.choice(sorted(ledger.tree.items()))
    store = ledger.open_store()
    assert isinstance(store, LocalStore)
    digest = store.files()[name].digest.removeprefix("sha256:")
    path = Path(store.location) / "objects" / digest[:2] / digest
    how = dice.choice(("flipped", "lost", "longer", "a link", "a FIFO"))
    _harm(path, how, dice)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            store.fetch([name], Path(scratch))
        except Corrupt:
            pass
        else:
            raise AssertionError(f"{how} bytes were handed out")
    assert any(name in finding.paths for finding in store.verify(lambda _: None).harm), "nobody would know"
    if dice.random() < 0.5:
        store.verify(lambda _: None, repair=True)
        healed = "put back from a copy"
    else:
        heal = Step(f"step-{len(ledger.done)}", {name: data})
        heal.commit(store)
        ledger.made(heal)
        healed = "healed by the right bytes"
    ledger.check()
    assert store.verify(lambda _: None).harm == []
    return f"found and {healed}"


def _harm(path: Path, how: str, dice: random.Random) -> None:
    data = path.read_bytes()
    path.unlink()
    if how == "flipped":
        place = dice.randrange(len(data)) if data else 0
        path.write_bytes(data[:place] + bytes([(data[place] if data else 0) ^ 1]) + data[place + 1 :])
    elif how == "longer":
        path.write_bytes(data + b"x")
    elif how == "a link":
        path.symlink_to(path.parent.parent.parent / "log" / "00000001.jsonl")
    elif how == "a FIFO":
        os.mkfifo(path)


def _harmed_log(dice: random.Random, place: Place) -> str:
    ledger = place.local()
    while len(ledger.done) < 3:
        step = ledger.draw(dice)
        step.commit(ledger.open_store())
        ledger.made(step)
    store = ledger.open_store()
    path = dice.choice(sorted((Path(store.location) / "log").iterdir())[:-1])
    kept = path.read_bytes()
    how = dice.choice(("flipped", "cut short", "lost", "a FIFO"))
    _harm(path, "lost", dice)
    if how == "a FIFO":
        os.mkfifo(path)
    elif how != "lost":
        at = dice.randrange(len(kept))
        path.write_bytes(kept[:at] + (b"" if how == "cut short" else bytes([kept[at] ^ 1]) + kept[at + 1 :]))
    step = ledger.draw(dice)
    try:
        step.commit(store)
    except Corrupt:
        outcome = "found; nothing was committed on it"
    else:  # the tree of an earlier revision is read by nobody who commits
        ledger.made(step)
        outcome = "found by a walk through the store"
    assert any(path.name in finding.where for finding in store.verify(lambda _: None).harm), f"{how}: nobody would know"
    path.unlink(missing_ok=True)
    path.write_bytes(kept)
    ledger.check()
    return outcome


# ------------------------------------------------------------------ others write too
def _race(dice: random.Random, place: Place) -> str:
    ledger = place.local()
    writers = dice.randint(2, 5)
    steps = [
        Step(f"step-{len(ledger.done)}-{n}", {f"own/{n}": dice.randbytes(50), "all": b"%d" % n}) for n in range(writers)
    ]
    barrier = threading.Barrier(writers)

    def write(step: Step) -> None:
        store = ledger.open_store()
        barrier.wait()
        step.commit(store)

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, steps))
    order = [entry.message for entry in reversed(ledger.open_store().log())][len(ledger.done) :]
    assert sorted(order) == sorted(step.operation for step in steps), order
    for operation in order:
        ledger.made(next(step for step in steps if step.operation == operation))
    ledger.check()
    return "all in, one after the other"


# ------------------------------------------------------------------ the Hub and the way to it
_FAULTS: tuple[dict[str, Any], ...] = (
    *({"action": "status", "status": status} for status in (408, 409, 412, 425, 429, 500, 502, 503, 504)),
    {"action": "drop"},
    {"action": "drop", "orderly": True},
    {"action": "drop", "after_bytes": 100},
    {"action": "lose"},
    {"action": "lose", "orderly": True},
    {"action": "spoil", "status": 500},
    {"action": "spoil", "status": 504},
    {"action": "stall", "seconds": 1.0},
    {"action": "stall", "seconds": 1.0, "after_bytes": 50},
)
_PATHS = ("/revision/", "/paths-info/", "/preupload/", "/lfs/objects/batch", "/cdn/", "/commit/")


def _fault(dice: random.Random, place: Place) -> str:
    ledger = place.on_the_hub()
    assert place.hub is not None
    step = ledger.draw(dice)
    for _ in range(dice.randint(1, 3)):
        fault = dict(dice.choice(_FAULTS))
        path = "/commit/" if fault.get("status") == 412 else dice.choice(_PATHS)
        place.hub.fault(path=path, skip=dice.choice((0, 0, 1)), **fault)
    failed = False
    try:
        step.commit(ledger.open_store())
    except FvhydraError:
        failed = True
    place.hub.faults.clear()
    landed = ledger.settle(step)
    assert landed or failed
    return "done all the same" if landed else "refused and done again"


def _intruder(dice: random.Random, place: Place) -> str:
    ledger = place.on_the_hub()
    assert place.hub is not None
    step = ledger.draw(dice)
    theirs = Step(f"{step.operation}-theirs", {"theirs": dice.randbytes(20)})

    def intrude() -> None:
        theirs.commit(ledger.open_store())
        ledger.made(theirs)

    place.hub.fault("call", dice.choice(("/revision/", "/paths-info/", "/preupload/", "/commit/")), call=intrude)
    step.commit(ledger.open_store())
    place.hub.faults.clear()
    ledger.made(step)
    ledger.check()
    return "both in, one after the other"


def _damaged_download(dice: random.Random, place: Place) -> str:
    ledger = place.on_the_hub()
    assert place.hub is not None
    step = ledger.draw(dice)
    step.commit(ledger.open_store())
    ledger.made(step)
    for cache in place.folder.glob("*/cache"):
        shutil.rmtree(cache)
    fault = dice.choice(
        ({"action": "flip"}, {"action": "truncate", "after_bytes": 3}, {"action": "pause", "seconds": 1.0})
    )
    place.hub.fault(path="/cdn/|/resolve/", method="GET", times=dice.choice((1, 1, 2)), **fault)
    try:
        ledger.check()
        outcome = "fetched again at once"
    except (Corrupt, Unavailable):  # never handed out
        outcome = "refused, and fetched by the next command"
    place.hub.faults.clear()
    ledger.check()
    return outcome


def _local(path: Path) -> Store:
    return LocalStore(LocalStoreConfig(_target_="", name="local", path=str(path)))


def _kinds() -> list[tuple[str, Trial, int]]:
    """Classes with their shares."""
    return [
        ("local store: killed before a call to the system", partial(_killed, LocalSite), 30),
        ("local store: a call to the system fails, or all from one on", _failing_call, 34),
        ("local store: a content is flipped, lost, longer, a link or a FIFO", _harmed_object, 8),
        ("local store: a commit's file is flipped, cut short, lost or a FIFO", _harmed_log, 4),
        ("local store: several writers at once", _race, 4),
        ("Hub: one to three faults on the way of a commit", _fault, 12),
        ("Hub: another writer in between", _intruder, 2),
        ("Hub: a download is damaged, cut short or stalls", _damaged_download, 2),
        ("Hub: killed before a call to the system", partial(_killed, HubSite), 4),
    ]


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    start = time.monotonic()
    print(table(run(*(given + [0, 1000][len(given) :]))))
    print(f"{time.monotonic() - start:.0f} s")
