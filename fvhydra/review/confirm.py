# SPDX-License-Identifier: Apache-2.0
"""Asking a person, and taking the answer that was given beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Ask = Callable[[str], str]
"""Shows a question and returns what was typed; an empty answer when nobody is there."""


def confirmed(phrases: Sequence[str], given: Sequence[str], ask: Ask | None) -> bool:
    """Whether every phrase was said, each exactly.

    Args:
        phrases: What the change asks for, in order, for example ``["upload"]``.
        given: ``op.confirm``. When it is not empty nobody is asked: it either holds every phrase or the answer is no.
        ask: How to ask at a terminal; None when there is none.
    """
    if given or not phrases:
        return all(phrase in given for phrase in phrases)
    if ask is None:
        return False
    return all(
        ask(f"Type exactly '{phrase}' to go on, anything else to leave it prepared: ") == phrase for phrase in phrases
    )
