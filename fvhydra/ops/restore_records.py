# SPDX-License-Identifier: Apache-2.0
"""``op=restore`` of performance records: undo a change of them, or make a benchmark's as they were in a revision."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from fvhydra.config.root import Config
from fvhydra.core import files
from fvhydra.core.errors import UsageError
from fvhydra.core.result import ChangeStatus, RunResult
from fvhydra.core.run import RunFolder
from fvhydra.core.verdict import Verdict
from fvhydra.ops.context import Context
from fvhydra.ops.originals import fetch_originals
from fvhydra.ops.perf_records import moves
from fvhydra.ops.tree_difference import Tree, known_revision, refuse_equal
from fvhydra.performance.history import read_history
from fvhydra.performance.names import record_folder
from fvhydra.performance.record import PerfRecord, read_record
from fvhydra.review import change
from fvhydra.stores.layout import is_record


@dataclass(frozen=True)
class RecordDifference:
    """Records as they are at ``head`` and as they were at ``revision``: those that differ, or may."""

    head: str
    revision: str
    now: Tree
    then: Tree


def concerns_records(config: Config, model_id: str) -> bool:
    """Whether a restore is of performance records: of a run that changed some, or of a benchmark that is named."""
    if config.run is None:
        return bool(model_id)
    run = RunFolder.open(files.given_path(config.run))
    return all(is_record(path) for path in change.load_change(run).paths)


def record_difference(context: Context, model_id: str, revision: str | None) -> RecordDifference:
    """What is to be restored.

    Args:
        model_id: Without ``run=``: the benchmark.
        revision: Without ``run=``: what to go back to.

    Raises:
        UsageError: The run was never published, there is no such revision, or nothing differs.
    """
    store = context.store
    head = store.head()
    if context.config.run is not None:
        earlier = change.load_change(RunFolder.open(files.given_path(context.config.run)))
        if earlier.applied is None:
            raise UsageError(f"run={context.config.run} was never published; there is nothing to undo.")
        revision, wanted = earlier.parent, set(earlier.paths)
        now, then = ({p: e for p, e in store.files("", at).items() if p in wanted} for at in (head, revision))
    else:
        if revision is None:
            raise UsageError(
                "op=restore of performance records needs run=<folder of the run to undo>, or op.revision=<revision>.",
                "`python -m fvhydra op=log op.every_model=true` lists the revisions.",
            )
        revision = known_revision(store, revision)
        now, then = (store.files(record_folder(model_id), at) for at in (head, revision))
        if not (now or then):
            raise UsageError(
                f"{store.location} has no record of {model_id}, neither now nor in {revision[:17]}.",
                "`python -m fvhydra op=perf_history` lists those that there are.",
            )
    refuse_equal(now, then, revision)
    return RecordDifference(head, revision, now, then)


def restore_records(context: Context, found: RecordDifference, reason: str, kind: str) -> RunResult:
    """Leave ``mirror/``, the records that are put back in ``prepared/``, and ``change.json``."""
    store = context.store
    returning = sorted(path for path, entry in found.then.items() if found.now.get(path) != entry)
    leaving = sorted(set(found.now) - set(found.then))
    history = read_history(store, context.run.path / "mirror")
    digests = {path: entry.digest for path, entry in found.now.items()}
    touched = (*returning, *leaving)
    originals = fetch_originals(store, digests, touched, context.run.path / "mirror", found.head)
    fetched = store.fetch(returning, context.run.path / "prepared", found.revision) if returning else {}
    changes = []
    records = {}
    for path in returning:
        replaced = found.now[path].digest if path in found.now else None
        local = fetched[path]
        changes.append(change.ChangeFile(path, context.run.relative(local), files.sha256_file(local), replaced))
        with contextlib.suppress(UsageError):  # what is no record is put back all the same
            records[path] = PerfRecord(read_record(local).fields, path)
    prepared = change.Change(
        kind=kind,
        title=f"Restore {found.revision[:12]} of {len(touched)} performance record(s)",
        reason=reason,
        store=store.location,
        parent=found.head,
        changes=changes,
        deletes=leaving,
        provenance={"environment": context.run.manifest["environment"]},
    )
    change.save_change(context.run, prepared)
    return RunResult(
        op=context.config.op.name,
        verdict=Verdict.DONE,
        message=f"{len(touched)} record(s) prepared for {store.location}.",
        baselines=moves(history, records, leaving, reason),
        notes=[*(f"Deletes {path}" for path in leaving), *originals.notes],
        change=ChangeStatus(store.location, len(touched)),
    )
