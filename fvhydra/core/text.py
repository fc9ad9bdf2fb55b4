# SPDX-License-Identifier: Apache-2.0
"""Text that came from outside (prompts, commit messages, sidecars), made safe to show."""

from __future__ import annotations

import re

# Everything that moves a cursor, sets a title, ends a line unasked or reorders what is read: the control characters
# C0 and C1 except newline and tab, line and paragraph separators, and the embeddings, overrides and isolates of bidi
# text. Further what XML 1.0 cannot carry at all (section 2.2, "Char"): lone surrogates and U+FFFE, U+FFFF.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]|\r(?!\n)"
)


def printable(text: str) -> str:
    """``text`` with U+FFFD for each character that a terminal, XML or HTML must not be given; the length stays.

    Newlines and tabs stay: whether they are allowed is for the caller to say.
    """
    return _UNPRINTABLE.sub("\ufffd", text)
