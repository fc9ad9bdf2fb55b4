# SPDX-License-Identifier: Apache-2.0
"""Making a store whole again by a change that replaces what is damaged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from fvhydra.core import files
from fvhydra.core.errors import Corrupt
from fvhydra.media.distinct import write_distinct
from fvhydra.ops.context import Context
from fvhydra.ops.originals import Originals
from fvhydra.review.change import Change, ChangeFile
from fvhydra.stores.base import Entry, Store
from fvhydra.stores.content import holds
from fvhydra.stores.layout import sidecar_path
from fvhydra.stores.verification import UNVERIFIED


def heal(
    context: Context, items: Sequence[ChangeFile], originals: Originals, entries: Mapping[str, Entry]
) -> list[ChangeFile]:
    """The files of a change, such that the store is whole with them.

    A deterministic engine makes the very bytes that are damaged in the store. A store that would not take them once
    more (``Store.heals``) gets the same content in another file, below ``healed/`` of the run folder.

    Args:
        items: The files as they were made.
        originals: What could not be verified of what they replace.
        entries: The files of the store now.
    """
    found = {item.path: item for item in items}
    for path, item in found.copy().items():
        damaged = path in originals.unverified and sidecar_path(path) in found and not context.store.heals
        if damaged and holds(context.run.inside(item.file), entries[path]):
            found |= {new.path: new for new in _distinct(context, item, found[sidecar_path(path)])}
    return list(found.values())


def _distinct(context: Context, artifact: ChangeFile, sidecar: ChangeFile) -> Iterator[ChangeFile]:
    """The artifact in another file, and the sidecar with that file's hash."""
    target = context.run.path / "healed" / artifact.path
    write_distinct(context.run.inside(artifact.file), target)
    sha256 = files.sha256_file(target)
    yield replace(artifact, file=context.run.relative(target), sha256=sha256)
    said = context.run.inside(sidecar.file).read_text(encoding="utf-8").replace(artifact.sha256, sha256)
    beside = target.with_name(sidecar_path(target.name))
    files.write_text(beside, said)
    yield replace(sidecar, file=context.run.relative(beside), sha256=files.sha256_file(beside))


def still_damaged(store: Store, change: Change, revision: str) -> list[str]:
    """A line for each file that a change replaced unverified, and that the store gives wrong bytes of even now."""
    said = change.provenance.get(UNVERIFIED)
    replaced = sorted({item.path for item in change.changes} & set(said if isinstance(said, dict) else ()))
    lines = []
    with TemporaryDirectory() as scratch:
        for path in replaced:
            try:
                store.fetch([path], Path(scratch), revision)
            except Corrupt as error:
                lines.append(
                    f"Still not whole: {error.message} Only a person with access to the store itself can help."
                )
    return lines
