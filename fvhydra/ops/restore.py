# SPDX-License-Identifier: Apache-2.0
"""``op=restore``: put earlier references or performance records back, as a new reviewed commit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fvhydra.config.op import RestoreConfig
from fvhydra.config.root import Config
from fvhydra.core import files
from fvhydra.core.errors import Corrupt, FvhydraError, UsageError
from fvhydra.core.result import CaseResult, RunResult
from fvhydra.core.run import RunFolder
from fvhydra.core.verdict import Verdict
from fvhydra.ops.base import Op
from fvhydra.ops.context import Context
from fvhydra.ops.originals import fetch_originals
from fvhydra.ops.proposal import prepare_change
from fvhydra.ops.references import References, read_sidecar
from fvhydra.ops.restore_records import concerns_records, record_difference, restore_records
from fvhydra.ops.tree_difference import Tree, kind_of, known_revision, refuse_equal
from fvhydra.review import change
from fvhydra.review.confirm import refuse_wrong_words
from fvhydra.review.kinds import KINDS
from fvhydra.stores.base import Entry
from fvhydra.stores.content import holds
from fvhydra.stores.layout import sidecar_path


class Restore(Op):
    """Undo the change of an earlier run, or make a model's references or records as they were in a revision."""

    config: RestoreConfig
    change_kinds = ("restore", "delete")

    def model(self, config: Config) -> str:
        """None where it is about records, whose benchmark is no model that ``model=`` names."""
        try:
            return "" if concerns_records(config, self.config.model_id) else super().model(config)
        except FvhydraError:  # preflight says what is wrong with the run
            return super().model(config)

    def preflight(self, context: Context) -> None:
        """Refuse when nothing says what to restore, when nothing differs, or when the store cannot be written."""
        context.store.check_writable()
        if concerns_records(context.config, self.config.model_id):
            found = record_difference(context, self.config.model_id, self.config.revision)
            now, then = found.now, found.then
        else:
            _, _, now, then = self._difference(context, context.run.path / "references")
        refuse_wrong_words(self.config.confirm, KINDS[kind_of(now, then)].phrases)

    def run(self, context: Context) -> RunResult:
        """Fetch what was there, show it beside what is there now, and leave ``change.json``."""
        if concerns_records(context.config, self.config.model_id):
            found = record_difference(context, self.config.model_id, self.config.revision)
            return restore_records(context, found, self.config.reason, kind_of(found.now, found.then))
        references, revision, now, then = self._difference(context, context.run.path / "references")
        returning = sorted(path for path, entry in then.items() if now.get(path) != entry)
        leaving = sorted(set(now) - set(then))
        target = context.run.path / "artifacts"
        fetched = self._fetch(context, returning, then, target, revision)
        digests = {path: entry.digest for path, entry in now.items()}
        touched = (*returning, *leaving)
        originals = fetch_originals(references.store, digests, touched, references.folder, references.revision)
        changes = []
        for path in returning:
            replaced = now[path].digest if path in now else None
            local = fetched[path]
            changes.append(change.ChangeFile(path, context.run.relative(local), files.sha256_file(local), replaced))
        media = [path for path in (*returning, *leaving) if not path.endswith(".json")]
        results = [_shown(context, index, path, originals.files, fetched) for index, path in enumerate(media)]
        verb = f"Restore {revision[:12]} of"
        kind = kind_of(now, then)
        return prepare_change(context, references, results, kind, verb, originals, changes=changes, deletes=leaving)

    def _fetch(self, context: Context, paths: Sequence[str], then: Tree, to: Path, revision: str) -> dict[str, Path]:
        """What is to be put back; where the store has lost it, from the backup of the run that is undone.

        Raises:
            Corrupt: Neither has the right bytes of a file.
        """
        found = {}
        for path in paths:
            try:
                found[path] = context.store.fetch([path], to, revision)[path]
            except Corrupt:
                kept = _backup(context, path)
                if kept is None or not holds(kept, then[path]):
                    raise
                files.copy(kept, to / path)
                found[path] = to / path
        return found

    def _difference(
        self, context: Context, scratch: Path
    ) -> tuple[References, str, dict[str, Entry], dict[str, Entry]]:
        """The references, the revision to go back to, and the files concerned as they are and as they were."""
        wanted = context.cases
        references = References(context.store, wanted[0], scratch)
        store = references.store
        if context.config.run is not None:
            run = RunFolder.open(files.given_path(context.config.run))
            earlier, model = change.load_change(run), run.manifest["model"]
            if model != context.config.model.name:
                raise UsageError(
                    f"run={context.config.run} is of model={model}, not of model={context.config.model.name}.",
                    f"Add model={model}, and the tier, gpu and backend of that run.",
                )
            if earlier.applied is None:
                raise UsageError(f"run={context.config.run} was never published; there is nothing to undo.")
            revision, paths = earlier.parent, set(earlier.paths)
            now, then = store.files("", references.revision), store.files("", revision)
        elif self.config.revision is not None:
            revision = known_revision(store, self.config.revision)
            now, then = (
                {path: entry for folder in references.folders for path, entry in store.files(folder, at).items()}
                for at in (references.revision, revision)
            )
            paths = set(now) | set(then)
        else:
            raise UsageError(
                "op=restore needs run=<folder of the run to undo> or op.revision=<revision>.",
                "`python -m fvhydra op=log` lists the revisions.",
            )
        now, then = ({path: entry for path, entry in tree.items() if path in paths} for tree in (now, then))
        refuse_equal(now, then, revision)
        return references, revision, now, then


def _backup(context: Context, path: str) -> Path | None:
    """Where the run that is undone may have kept a file of the store."""
    if context.config.run is None:
        return None
    try:
        return RunFolder(files.given_path(context.config.run)).inside(f"backup/{path}")
    except UsageError:
        return None


def _shown(context: Context, index: int, path: str, current: dict[str, Path], returning: dict[str, Path]) -> CaseResult:
    """A reference that is put back or removed; both are files by store path."""
    files_of_it = returning if path in returning else current
    sidecar = _said(files_of_it.get(sidecar_path(path)))
    return CaseResult(
        index=index,
        prompt=sidecar.get("prompt", Path(path).stem),
        seed=sidecar.get("seed"),
        fingerprint=sidecar.get("fingerprint", ""),
        verdict=Verdict.DONE,
        planned="to be put back" if path in returning else "to be removed",
        kind="latent" if path.endswith(".pt") else "pixel",
        artifact=context.run.relative(returning[path]) if path in returning else None,
        reference=context.run.relative(current[path]) if path in current else None,
        store_path=path,
    )


def _said(sidecar: Path | None) -> dict[str, Any]:
    """What a sidecar says; nothing when there is none, or when it is none: it is put back all the same."""
    if sidecar is None:
        return {}
    try:
        return read_sidecar(sidecar)
    except UsageError:
        return {}
