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
from fvhydra.ops.healing import still_damaged
from fvhydra.ops.proposal import removals
from fvhydra.review import change
from fvhydra.review.confirm import Ask, Confirmation, as_word, confirmed, refuse_wrong_words
from fvhydra.review.kinds import KINDS


class Publish(Op):
    """Look again at a prepared change; :func:`settle` applies it."""

    config: PublishConfig
    writes_run_folder = False
    change_kinds = tuple(KINDS)

    def preflight(self, context: Context) -> None:
        """Refuse a run without a change, a tampered one, and a store that cannot be written."""
        if context.config.run is None:
            raise UsageError(
                "op=publish needs run=<folder of the run that prepared the change>.", "For example run=outputs/latest."
            )
        prepared = change.load_change(RunFolder.open(context.run.path))
        kind = KINDS[prepared.kind]
        done = prepared.applied is not None and kind.afterwards
        refuse_wrong_words(self.config.confirm, [kind.afterwards] if done else kind.phrases, kind.afterwards)
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
            notes=removals(prepared),
            change=ChangeStatus(prepared.store, len(prepared.paths)),
        )


def settle(context: Context, op: Op, ask: Ask | None, confirmation: Confirmation) -> ChangeStatus:
    """Apply the prepared change of a run when it is confirmed. Runs on the machine of the person.

    Args:
        op: Whose change it is; it must be one of its kinds.
        ask: How to ask at a terminal; None when nobody is there.
        confirmation: What this command line says.

    Returns:
        Where the change stands now, and what can be done next.

    Raises:
        UsageError, StoreError: Nothing was written to the store; everything stays on disk.
    """
    prepared = change.load_change(context.run)
    if prepared.kind not in op.change_kinds:
        raise UsageError(
            f"{context.run.path} holds a change of the kind {prepared.kind!r}, which no op={op.config.name} makes; "
            "nothing was published."
        )
    stands = ChangeStatus(prepared.store, len(prepared.paths), prepared.applied)
    if prepared.applied is not None:
        context.store.refresh()
        stands.said = [f"Already published as revision {prepared.applied}; nothing to do."]
        return stands
    phrases, afterwards = KINDS[prepared.kind].phrases, KINDS[prepared.kind].afterwards
    # CI uploads drafts when its command line says so; a person who publishes one is asked like for anything else
    agreed = prepared.kind == "draft" and confirmation.drafts
    if not agreed and not confirmed(phrases, confirmation, ask, _about(prepared), afterwards):
        stands.said = [f"Nothing was written to {prepared.store}."]
        if prepared.blocked_by:
            blocked = ", ".join(prepared.blocked_by)
            stands.said.append(f"Blocked by the review: {blocked}; op.accept publishes it all the same.")
        stands.publish = _publish_command(context, prepared, phrases, confirmation.command)
        return stands
    earlier = context.store.published(prepared.operation)  # by a command that was killed before it could say so
    revision = change.apply_change(context.run, prepared, context.store, who=person())
    published = f"Published {len(prepared.paths)} file(s) to {prepared.store} as revision {revision}."
    if earlier == revision:
        published = f"Exactly this change is published already, as revision {revision}; nothing was written again."
    follow_up = prepared.follow_up.replace("{revision}", revision).splitlines()
    stands.said = [published, *still_damaged(context.store, prepared, revision), *follow_up]
    stands.published = revision
    return stands


def _about(prepared: change.Change) -> dict[str, str]:
    """What is shown before each question: before the first, what is taken away too."""
    first, *others = KINDS[prepared.kind].phrases
    listed = "".join(f"    {line}\n" for line in removals(prepared))
    return {first: prepared.questions.get(first, "") + listed} | {
        phrase: prepared.questions.get(phrase, "") for phrase in others
    }


def _publish_command(
    context: Context, prepared: change.Change, phrases: Sequence[str], command: Sequence[str]
) -> NextCommand:
    # what a folder says was typed may be anything: only the words of this command are suggested again
    arguments = ["op=publish", f"run={context.run.path}", as_word(phrases), *carried_words(command)]
    if prepared.blocked_by:
        arguments.append(f"op.accept=[{','.join(prepared.blocked_by)}]")
    return NextCommand("To publish what you reviewed", f"python -m fvhydra {shlex.join(arguments)}")
