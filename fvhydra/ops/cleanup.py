# SPDX-License-Identifier: Apache-2.0
"""After a change: deleting the folders that only it needed, when exactly that is said."""

from __future__ import annotations

import shlex
import shutil

from fvhydra.core.errors import UsageError
from fvhydra.core.run import RunFolder, refuse_links
from fvhydra.ops.cases import carried_words
from fvhydra.ops.context import Context
from fvhydra.review import change
from fvhydra.review.confirm import Ask, Confirmation, as_word, confirmed
from fvhydra.review.kinds import KINDS


def clean_up(context: Context, ask: Ask | None, said: Confirmation) -> list[str]:
    """Delete what an applied change of its kind leaves behind, if the person says the words for it.

    Args:
        ask: How to ask at a terminal; None when nobody is there.
        said: What this command line says.

    Returns:
        Sentences on what was deleted, or how to do so.
    """
    prepared = change.load_change(context.run)
    kind = KINDS[prepared.kind]
    there = {name: why for name, why in kind.temporary.items() if (context.run.path / name).is_dir()}
    if prepared.applied is None or not there:
        return []
    listed = [f"  {context.run.path / name}: {why}" for name, why in there.items()]
    agreed = kind.afterwards in said.given
    if not agreed and not said.given:
        folders = "\n".join(["What only this change needed may be deleted:", *listed, ""])
        agreed = ask is not None and confirmed([kind.afterwards], Confirmation(), ask, {kind.afterwards: folders})
    if agreed:
        return _deleted(context.run, list(there))
    words = ["op=publish", f"run={context.run.path}", as_word([kind.afterwards]), *carried_words(said.command)]
    return ["To delete what only this change needed:", *listed, f"  python -m fvhydra {shlex.join(words)}"]


def _deleted(run: RunFolder, names: list[str]) -> list[str]:
    for name in names:
        folder = run.inside(name)
        refuse_links(folder)
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise UsageError(f"{folder} cannot be deleted: {error.strerror}.", "Delete it by hand.") from error
    return [f"Deleted {run.path / name}." for name in names]
