# SPDX-License-Identifier: Apache-2.0
"""Asking a person, and taking the answer that was given beforehand."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fvhydra.core.errors import UsageError

Ask = Callable[[str], str]
"""Shows a question and returns what was typed; an empty answer when nobody is there."""


@dataclass
class Confirmation:
    """What this command line says to changes. No folder and no record has a part in it.

    Attributes:
        given: ``op.confirm``.
        drafts: ``op.bootstrap``: drafts are uploaded without a word.
        typed: What was typed at the terminal, earlier in this command.
        command: The command, the program's name included; what is suggested next repeats some of its words.
    """

    given: list[str] = field(default_factory=list)
    drafts: bool = False
    typed: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, op: Any, typed: Sequence[str], command: Sequence[str]) -> Confirmation:
        """That of the options of an op, which this command line was composed to."""
        given, drafts = getattr(op, "confirm", None) or [], bool(getattr(op, "bootstrap", False))
        return cls(list(given), drafts, list(typed), list(command))


def refuse_wrong_words(given: Sequence[str], phrases: Sequence[str], afterwards: str = "") -> None:
    """Refuse ``op.confirm`` when it is given and is not what must be said, before anything is done.

    Args:
        given: ``op.confirm``.
        phrases: What must be said, all of it.
        afterwards: What may be said too; empty for nothing.

    Raises:
        UsageError: Names the right words.
    """
    words = sorted(map(str, given))
    if words and words not in (sorted(phrases), sorted([*phrases, *([afterwards] if afterwards else [])])):
        said = given[0] if len(given) == 1 else f"[{', '.join(map(str, given))}]"
        raise UsageError(
            f"op.confirm={said} is not what confirms this change, so nothing was done.",
            f"Say it exactly: {shlex.quote(as_word(phrases))}, or leave it away to look first.",
        )


def as_word(phrases: Sequence[str]) -> str:
    """``op.confirm=`` with the phrases, one word of a command line; not yet quoted for a shell."""
    return f"op.confirm={phrases[0]}" if len(phrases) == 1 else f"op.confirm=[{', '.join(phrases)}]"


def confirmed(
    phrases: Sequence[str],
    said: Confirmation,
    ask: Ask | None,
    about: Mapping[str, str] | None = None,
    afterwards: str = "",
) -> bool:
    """Whether every phrase was said, each exactly.

    Args:
        phrases: What the change asks for, in order, for example ``["upload"]``.
        said: When it holds ``op.confirm``, nobody is asked.
        ask: How to ask at a terminal; None when there is none.
        about: What is shown before the question for a phrase.
        afterwards: What may be said too, see :func:`refuse_wrong_words`.

    Raises:
        UsageError: ``op.confirm`` was given and is something else.
    """
    refuse_wrong_words(said.given, phrases, afterwards)
    left = [phrase for phrase in phrases if phrase not in said.typed]
    if said.given or not left:
        return True
    if ask is None:
        return False
    question = "Type exactly '{}' to go on, anything else to leave it prepared: "
    return all(ask((about or {}).get(phrase, "") + question.format(phrase)) == phrase for phrase in left)
