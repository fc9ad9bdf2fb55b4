# SPDX-License-Identifier: Apache-2.0
"""What a store must hold after each commit, kept beside it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from fvhydra.stores.base import Store

_NAMES = [
    f"reference_videos/{folder}/{name}" for folder in "ab" for name in ("a cat.mp4", "a cat.mp4.json", "猫.pt", "x")
]


@dataclass(frozen=True)
class Step:
    """One commit: what it adds and deletes, and the operation by which it is known."""

    operation: str
    adds: dict[str, bytes]
    deletes: tuple[str, ...] = ()

    def commit(self, store: Store) -> str:
        return store.commit(
            self.adds, deletes=self.deletes, message=self.operation, provenance={"operation": self.operation}
        )


@dataclass
class Ledger:
    """Steps that were made, and the tree that they amount to."""

    open_store: Callable[[], Store]
    done: list[str] = field(default_factory=list)
    tree: dict[str, bytes] = field(default_factory=dict)

    def draw(self, dice: random.Random) -> Step:
        """A next step."""
        chosen = dice.sample(_NAMES, dice.randint(1, 4))
        adds = {name: dice.randbytes(dice.choice((0, 1, 100, 9000))) for name in chosen}
        gone = [name for name in self.tree if name not in adds]
        deletes = dice.sample(sorted(gone), dice.randint(0, min(2, len(gone))))
        return Step(f"step-{len(self.done)}", adds, tuple(deletes))

    def made(self, step: Step) -> None:
        """The step is in the store."""
        self.done.append(step.operation)
        self.tree = {name: data for name, data in self.tree.items() if name not in step.deletes} | step.adds

    def check(self) -> None:
        """Everything is there, once and whole; as another process sees it."""
        store = self.open_store()
        log = [entry.message for entry in store.log() if entry.paths]
        assert log == self.done[::-1], f"commits {log[::-1]}, wanted {self.done}"
        with TemporaryDirectory() as scratch:
            fetched = store.fetch(store.files(), Path(scratch))
            found = {name: file.read_bytes() for name, file in fetched.items()}
        assert found.keys() == self.tree.keys(), f"files {sorted(found)}, wanted {sorted(self.tree)}"
        assert found == self.tree, "a file has other bytes than were committed"

    def settle(self, step: Step) -> bool:
        """Look at what an attempt at ``step`` left, then make it again; return whether it was made at once."""
        landed = self.open_store().published(step.operation) is not None
        if landed:
            self.made(step)
        self.check()
        step.commit(self.open_store())
        if not landed:
            self.made(step)
        self.check()
        return landed
