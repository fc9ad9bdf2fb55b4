# SPDX-License-Identifier: Apache-2.0
"""The Hugging Face token: where it comes from, and never what it is."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field

TOKEN_VARIABLES = ("HF_API_KEY", "HUGGINGFACE_HUB_TOKEN", "HF_TOKEN")
"""Environment variables that may hold a token; the first that is set counts."""

WITHHELD_VARIABLE = "FVHYDRA_WITHHELD"
"""Environment variable of a job: names of the token variables that are set where it was started, and not for it."""


@dataclass(frozen=True)
class Token:
    """A token that does not show itself: ``value`` is in no ``repr``."""

    value: str = field(repr=False)
    source: str
    """``HF_TOKEN``, ... or ``the cached login``."""


_NOBODY = ContextVar("_NOBODY", default=False)


@contextlib.contextmanager
def without_token() -> Iterator[None]:
    """Run a block as if this machine had no token, to see what can be read without one."""
    reset = _NOBODY.set(True)
    try:
        yield
    finally:
        _NOBODY.reset(reset)


def find_token() -> Token | None:
    """The first of :data:`TOKEN_VARIABLES` that is set, else the cached login, else None."""
    if _NOBODY.get():
        return None
    for name in TOKEN_VARIABLES:
        if value := os.environ.get(name, "").strip():
            return Token(value, name)
    cached = cached_login()
    return Token(cached, "the cached login") if cached else None


def cached_login() -> str | None:
    """What ``hf auth login`` left on this machine."""
    from huggingface_hub import get_token

    return get_token()
