# SPDX-License-Identifier: Apache-2.0
"""What a change replaces or removes: kept beside it, as far as the store can still give the right bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fvhydra.core.errors import Corrupt
from fvhydra.stores.base import Store


@dataclass(frozen=True)
class Originals:
    """Files of a store as they were before a change.

    Attributes:
        files: Verified copies, by store path.
        unverified: Those whose bytes are damaged or lost: store path to digest. They are replaced all the same, since
            nothing else makes the store whole again.
        reasons: What the store said of each of those.
    """

    files: dict[str, Path] = field(default_factory=dict)
    unverified: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def notes(self) -> list[str]:
        """A line for each file that is in no backup."""
        return [
            f"Not in the backup, since it cannot be verified: {path} ({reason})"
            for path, reason in self.reasons.items()
        ]


def fetch_originals(
    store: Store, digests: Mapping[str, str], paths: Iterable[str], to: Path, revision: str
) -> Originals:
    """Fetch files one by one; one that is damaged keeps no other from being had.

    Args:
        store: The store.
        digests: Of all its files in that revision, by path.
        paths: What is wanted of it; what is not there is left out.
        to: Folder for the copies.
        revision: The revision that the change is made on.

    Raises:
        Unavailable: The store cannot be asked just now.
    """
    found = Originals()
    for path in paths:
        if path not in digests:
            continue
        try:
            found.files[path] = store.fetch([path], to, revision)[path]
        except Corrupt as error:
            found.unverified[path] = digests[path]
            found.reasons[path] = error.message
    return found
