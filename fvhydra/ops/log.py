# SPDX-License-Identifier: Apache-2.0
"""``op=log``: the history of a store."""

from __future__ import annotations

from fvhydra.config.op import LogConfig
from fvhydra.core.result import RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.ops.base import Op
from fvhydra.ops.context import Context
from fvhydra.stores.base import LogEntry


class Log(Op):
    """Who moved which references when, and why; newest first."""

    config: LogConfig
    writes_run_folder = False

    def run(self, context: Context) -> RunResult:
        """One paragraph for each commit that touched the chosen model."""
        store = context.store
        marker = f"/{context.config.model.model_id}/"
        entries = [
            entry
            for entry in store.log()
            if entry.paths and (self.config.every_model or any(marker in f"/{path}" for path in entry.paths))
        ]
        about = "every model" if self.config.every_model else context.config.model.model_id
        return RunResult(
            op=self.config.name,
            model="" if self.config.every_model else context.config.model.name,
            verdict=Verdict.DONE,
            message=f"{len(entries)} commit(s) in {store.location} for {about}.",
            notes=[line for entry in entries[: self.config.limit] for line in _paragraph(entry)],
            details={"revisions": [entry.revision for entry in entries]},
        )


def _paragraph(entry: LogEntry) -> list[str]:
    facts = entry.provenance
    who, kind, reason = (facts.get(key, "-") for key in ("who", "kind", "reason"))
    return [
        f"{entry.revision}  {entry.time}  {who}  {kind}: {entry.message}",
        f"    reason: {reason}",
        *(f"    {path}" for path in entry.paths),
    ]
