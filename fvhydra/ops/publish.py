"""``op=publish``: apply the change that an earlier run prepared."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from fvhydra.config.op import PublishConfig
from fvhydra.core.context import Context
from fvhydra.core.errors import UsageError
from fvhydra.core.result import RunResult
from fvhydra.core.run import RunFolder
from fvhydra.core.verdict import Verdict
from fvhydra.ops.base import Op, open_store
from fvhydra.ops.cases import carried_words
from fvhydra.review import change
from fvhydra.review.confirm import Ask, confirmed


class Publish(Op):
    """Look again at a prepared change; :func:`settle` applies it."""

    config: PublishConfig
    records = False

    def preflight(self, context: Context) -> None:
        """Refuse a run without a change, a tampered one, and a store that cannot be written."""
        if context.config.run is None:
            raise UsageError(
                "op=publish needs run=<folder of the run that prepared the change>.", "For example run=outputs/latest."
            )
        prepared = change.load(RunFolder.open(context.run.path))
        if prepared.applied is None:
            change.verify(context.run, prepared)
            open_store(context.config.store).check_writable()

    def run(self, context: Context) -> RunResult:
        """Take ``op.accept`` into account; nothing is written to the store yet."""
        prepared = change.load(context.run)
        if accepted := set(self.config.accept) & set(prepared.blocked_by):
            prepared.blocked_by = sorted(set(prepared.blocked_by) - accepted)
            change.prepare(context.run, prepared)
        earlier = context.run.result
        return RunResult(
            op=self.config.name,
            model=earlier.model,
            verdict=Verdict.DONE,
            message=f"{prepared.title}: {len(prepared.paths)} file(s) for {prepared.store}.",
            cases=earlier.cases,
            details={"change": "prepared"},
        )


def settle(context: Context, ask: Ask | None, said: Sequence[str] = ()) -> list[str]:
    """Apply the prepared change of a run when it is confirmed. Runs on the machine of the person.

    Args:
        ask: How to ask at a terminal; None when nobody is there.
        said: Phrases that were typed already, earlier in this command.

    Returns:
        What happened, and what can be done next, as sentences.

    Raises:
        UsageError, StoreError: Nothing was written to the store; everything stays on disk.
    """
    prepared = change.load(context.run)
    if prepared.applied is not None:
        return [f"Already published as revision {prepared.applied}; nothing to do."]
    given = list(getattr(context.config.op, "confirm", None) or [])
    left = [phrase for phrase in prepared.phrases if phrase not in said]
    if not confirmed(left, given, ask):
        phrases = ", ".join(prepared.phrases)
        words = phrases if len(prepared.phrases) == 1 else f"[{phrases}]"
        # publishing from the folder that prepared it: the store is the one that was chosen there
        chosen = carried_words(context.run.manifest["command"])
        arguments = ["op=publish", f"run={context.run.path}", f"op.confirm={words}", *chosen]
        command = f"python -m fvhydra {shlex.join(arguments)}"
        return [
            f"Nothing was written to {prepared.store}. To publish what you reviewed:",
            f"  {command}",
            *([f"  (blocked by the review: {', '.join(prepared.blocked_by)})"] if prepared.blocked_by else []),
        ]
    revision = change.apply(context.run, prepared, open_store(context.config.store))
    follow_up = prepared.follow_up.replace("{revision}", revision)
    return [
        f"Published {len(prepared.paths)} file(s) to {prepared.store} as revision {revision}.",
        *follow_up.splitlines(),
    ]
