# SPDX-License-Identifier: Apache-2.0
"""``op=supersede_perf``: take bad records out of a performance history, where they stay readable."""

from __future__ import annotations

import shlex
from pathlib import Path

from fvhydra.config.op import SupersedePerfConfig
from fvhydra.core import files
from fvhydra.core.environment import now
from fvhydra.core.errors import UsageError, nearest
from fvhydra.core.result import ChangeStatus, RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.ops.base import Op
from fvhydra.ops.cases import carried_words
from fvhydra.ops.context import Context
from fvhydra.ops.originals import Originals, fetch_originals
from fvhydra.ops.perf_records import moves
from fvhydra.performance.history import read_history
from fvhydra.review import change
from fvhydra.stores.layout import is_record


class SupersedePerf(Op):
    """A corrective change: the store's newest revision goes on without them, and nothing is edited in place."""

    config: SupersedePerfConfig
    uses_model = False
    change_kinds = ("supersede_perf",)

    def preflight(self, context: Context) -> None:
        """Refuse a record that is not there, and a store that cannot be written."""
        self._paths(context)
        context.store.check_writable()

    def run(self, context: Context) -> RunResult:
        """Leave ``mirror/``, ``backup/`` and ``change.json``."""
        paths, reason = self._paths(context), self.config.reason
        history = read_history(context.store, context.run.path / "mirror")
        digests = {path: entry.digest for path, entry in context.store.files("", history.revision).items()}
        originals = fetch_originals(context.store, digests, paths, context.run.path / "mirror", history.revision)
        self._back_up(context, originals, history.revision)
        found = moves(history, {}, paths, reason)
        undo = ["op=restore", f"run={context.run.path}", *carried_words(context.command)]
        prepared = change.Change(
            kind="supersede_perf",
            title=f"Supersede {len(paths)} performance record(s)",
            reason=reason,
            store=context.store.location,
            parent=history.revision,
            changes=[],
            deletes=paths,
            follow_up="\n".join(
                [
                    f"Backup: {context.run.path / 'backup'}",
                    f"To undo: python -m fvhydra {shlex.join(undo)}",
                    "Records that take their place are added by op=reseed_perf.",
                ]
            ),
            provenance={
                "environment": context.run.manifest["environment"],
                "superseded": {p: digests[p] for p in paths},
            },
        )
        change.save_change(context.run, prepared)
        return RunResult(
            op=self.config.name,
            verdict=Verdict.DONE,
            message=f"{len(paths)} record(s) prepared to be taken out of {prepared.store}.",
            baselines=found,
            notes=[*(f"Deletes {path}" for path in paths), *originals.notes],
            change=ChangeStatus(prepared.store, len(paths)),
        )

    def _paths(self, context: Context) -> list[str]:
        paths = sorted(dict.fromkeys(map(str, context.config.record)))
        if not paths:
            raise UsageError(
                "op=supersede_perf needs record=<path of a record in the store>, or several: record=[<one>,<another>].",
                "`python -m fvhydra op=perf_history` lists them.",
            )
        there = [path for path in context.store.files() if is_record(path)]
        if missing := [path for path in paths if path not in there]:
            raise UsageError(
                f"{context.store.location} has no record {missing[0]}.{nearest(missing[0], there)}",
                "`python -m fvhydra op=perf_history` lists them.",
            )
        return paths

    def _back_up(self, context: Context, originals: Originals, revision: str) -> None:
        folder: Path = context.run.path / "backup"
        files.copy_all(originals.files, folder)
        facts = {
            "what": "performance records as they were before they were superseded",
            "store": context.store.location,
            "revision": revision,
            "utc": now(),
            "reason": self.config.reason,
            "records": "".join(f"\n  {path}" for path in originals.files),
        }
        files.write_text(folder / "PROVENANCE.txt", "".join(f"{key}: {value}\n" for key, value in facts.items()))
