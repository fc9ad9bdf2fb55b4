"""The token that the Hub knows a person by."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from huggingface_hub import get_token

from fvhydra.core.errors import Denied

TOKEN_VARIABLES = ("HF_API_KEY", "HUGGINGFACE_HUB_TOKEN", "HF_TOKEN")
"""Where a token is looked for, the first that is set; then the cached login of ``hf auth login``."""

HOW_TO_GET_ONE = (
    f"Set {', '.join(TOKEN_VARIABLES[:-1])} or {TOKEN_VARIABLES[-1]} to a token with write access "
    "(https://huggingface.co/settings/tokens), or run `hf auth login`."
)


@dataclass(frozen=True)
class Token:
    """A token and, for people, where it was found. Its value is in no message, log or ``repr``."""

    source: str
    value: str = field(repr=False)


def find_token() -> Token | None:
    """The token of this process; None when there is none.

    Raises:
        Denied: What was found cannot be sent (the client would quote it whole in its complaint).
    """
    for name in TOKEN_VARIABLES:
        if value := os.environ.get(name, "").strip():
            return _checked(Token(name, value))
    login = get_token()
    return _checked(Token("the cached login", login)) if login else None


def _checked(token: Token) -> Token:
    if not token.value.isascii() or not token.value.isprintable() or " " in token.value:
        raise Denied(f"{token.source} holds characters that no token has.", HOW_TO_GET_ONE)
    return token
