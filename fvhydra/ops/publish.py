# SPDX-License-Identifier: Apache-2.0
"""``op=publish``: apply the change that an earlier run prepared."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from fvhydra.config.op import PublishConfig
from fvhydra.core.errors import UsageError
from fvhydra.core.person import person
from fvhydra.core.result import ChangeStatus, NextCommand, RunResult
from fvhydra.core.run import RunFolder
from fvhydra.core.verdict import Verdict
from fvhydra.ops.base import Op
from fvhydra.ops.cases import carried_words
from fvhydra.ops.context import Context
from fvhydra.review import change
from fvhydra.review.confirm import Ask, confirmed


class Publish(Op):
    """Look again at a prepared change; :func:`settle` applies it."""

    config: PublishConfig
    writes_run_folder = False

    def preflight(self, context: Context) -> None:
        """Refuse a run without a change, a tampered one, and a store that cannot be written."""
        if context.config.run is None:
            raise UsageError(
                "op=publish needs run=<folder of the run that prepared the change>.", "For example run=outputs/latest."
            )
        prepared = change.load_change(RunFolder.open(context.run.path))
        if prepared.applied is None:
            if not (context.run.path / "report" / "index.html").is_file():
                raise UsageError(
                    f"{context.run.path} has no review page, so nobody can have looked.", "Prepare it again."
                )
            change.verify_files(context.run, prepared)
            context.store.check_writable()

    def run(self, context: Context) -> RunResult:
        """Take ``op.accept`` into account; nothing is written to the store yet."""
        prepared = change.load_change(context.run)
        if accepted := set(self.config.accept) & set(prepared.blocked_by):
            prepared.blocked_by = sorted(set(prepared.blocked_by) - accepted)
            change.save_change(context.run, prepared)
        earlier = context.run.result
        return RunResult(
            op=self.config.name,
            model=earlier.model,
            verdict=Verdict.DONE,
            message=f"{prepared.title}: {len(prepared.paths)} file(s) for {prepared.store}.",
            cases=earlier.cases,
            change=ChangeStatus(prepared.store, len(prepared.paths)),
        )


def settle(context: Context, ask: Ask | None, said: Sequence[str] = ()) -> ChangeStatus:
    """Apply the prepared change of a run when it is confirmed. Runs on the machine of the person.

    Args:
        ask: How to ask at a terminal; None when nobody is there.
        said: Phrases that were typed already, earlier in this command.

    Returns:
        Where the change stands now, and what can be done next.

    Raises:
        UsageError, StoreError: Nothing was written to the store; everything stays on disk.
    """
    prepared = change.load_change(context.run)
    stands = ChangeStatus(prepared.store, len(prepared.paths), prepared.applied)
    if prepared.applied is not None:
        stands.said = [f"Already published as revision {prepared.applied}; nothing to do."]
        return stands
    given = list(getattr(context.config.op, "confirm", None) or [])
    # CI uploads drafts without asking; a person who publishes one is asked like for anything else
    phrases = prepared.phrases or (["upload"] if isinstance(context.config.op, PublishConfig) else [])
    if not confirmed([phrase for phrase in phrases if phrase not in said], given, ask):
        wrong = [f"op.confirm={given} does not say {phrases}."] if given else []
        stands.said = [*wrong, f"Nothing was written to {prepared.store}."]
        if prepared.blocked_by:
            blocked = ", ".join(prepared.blocked_by)
            stands.said.append(f"Blocked by the review: {blocked}; op.accept publishes it all the same.")
        stands.publish = _publish_command(context, prepared, phrases)
        return stands
    revision = change.apply_change(context.run, prepared, context.store, who=person())
    published = f"Published {len(prepared.paths)} file(s) to {prepared.store} as revision {revision}."
    stands.said = [published, *prepared.follow_up.replace("{revision}", revision).splitlines()]
    stands.published = revision
    return stands


def _publish_command(context: Context, prepared: change.Change, phrases: list[str]) -> NextCommand:
    words = phrases[0] if len(phrases) == 1 else f"[{', '.join(phrases)}]"
    # publishing from the folder that prepared it: the store is the one that was chosen there
    chosen = carried_words(context.run.manifest["command"])
    arguments = ["op=publish", f"run={context.run.path}", f"op.confirm={words}", *chosen]
    if prepared.blocked_by:
        arguments.append(f"op.accept=[{','.join(prepared.blocked_by)}]")
    return NextCommand("To publish what you reviewed", f"python -m fvhydra {shlex.join(arguments)}")
