# SPDX-License-Identifier: Apache-2.0
"""What a store has, against what it had: the parts of a restore that do not depend on what the files are."""

from __future__ import annotations

from fvhydra.core.errors import Unavailable, UsageError
from fvhydra.stores.base import Entry, Store

Tree = dict[str, Entry]


def kind_of(now: Tree, then: Tree) -> str:
    """Taking away what was added since is a kind of its own, with words of its own."""
    return "delete" if set(now) - set(then) else "restore"


def refuse_equal(now: Tree, then: Tree, revision: str) -> None:
    """Refuse to restore what is as it was.

    Raises:
        UsageError: It is.
    """
    if now == then:
        raise UsageError(
            f"The files are as they were in {revision} already; there is nothing to restore.",
            "If one of them is damaged, op=verify says what can be done.",
        )


def known_revision(store: Store, revision: str) -> str:
    """Refuse what a person mistyped, before a store that does not know it looks like one that is not reachable."""
    try:
        store.files("", revision)
    except Unavailable as error:
        known = {known for entry in store.log() for known in (entry.revision, entry.parent)}
        if revision in known:
            raise
        raise UsageError(
            f"There is no revision {revision} in {store.location}.", "`python -m fvhydra op=log` lists the revisions."
        ) from error
    return revision
