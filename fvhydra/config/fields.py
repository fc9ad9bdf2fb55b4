# SPDX-License-Identifier: Apache-2.0
"""Building blocks of the config dataclasses."""

from __future__ import annotations

import dataclasses
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

MOST = 10**9
"""Where nothing else bounds a number: enough for anything, and far from where a system's counters and clocks end."""


# strict: true is no 1
Positive = Annotated[int, Field(strict=True, gt=0, le=MOST)]
NonNegative = Annotated[int, Field(strict=True, ge=0, le=MOST)]
PositiveFloat = Annotated[float, Field(gt=0, le=MOST, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, Field(ge=0, le=MOST, allow_inf_nan=False)]
Pixels = Annotated[int, Field(strict=True, gt=0, le=16_384)]
Gpus = Annotated[int, Field(strict=True, gt=0, le=1_024)]
Threads = Annotated[int, Field(strict=True, ge=0, le=1_024)]
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**63)]

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


def _is_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("must be letters, digits, '.', '_' and '-', and not begin with '.'")
    return value


Name = Annotated[str, AfterValidator(_is_name)]
"""A word that folders are named by: never a path."""


def _says_why(value: str) -> str:
    if len(value.splitlines()) > 1 or not any(map(str.isalpha, value)):
        raise ValueError('must say why, in words and in one line, such as "torch 2.13 in the CI image"')
    return value.strip()


Reason = Annotated[str, AfterValidator(_says_why)]
"""Why a store changes, for its history; the dots of a command that fvhydra suggests are none."""


def doc(
    text: str,
    default: Any = dataclasses.MISSING,
    factory: Any = dataclasses.MISSING,
    *,
    typed: bool = False,
    variable: str = "",
    example: str = "",
    counts: str = "",
    word: str = "",
) -> Any:
    """A dataclass field with the one line that ``--help`` shows for it.

    Args:
        text: That line.
        default: Its value when nothing else says one.
        factory: Makes that value.
        typed: Whether only a person may set it, on the command line: it runs a program, hands out a token, or confirms.
        variable: The environment variable that ``conf/`` reads it from.
        example: A value, for where one is needed only to see whether the rest is right.
        counts: The key of parts whose number it is; a sweep over all of them sets it.
        word: What is typed instead of its key: one that Python has for itself, or that of a group whose choices it
            takes several of.
    """
    metadata = {"help": text, "typed": typed, "variable": variable, "example": example, "counts": counts, "word": word}
    if factory is not dataclasses.MISSING:
        return dataclasses.field(default_factory=factory, metadata=metadata)
    if default is not dataclasses.MISSING:
        return dataclasses.field(default=default, metadata=metadata)
    return dataclasses.field(metadata=metadata)


def one_of(*allowed: str | None) -> AfterValidator:
    """A string out of a closed list (OmegaConf 2.3 has no ``Literal``), or None where that is in it."""

    def check(value: str | None) -> str | None:
        if value not in allowed:
            raise ValueError(f"must be one of: {', '.join(filter(None, allowed))}")
        return value

    return AfterValidator(check)


def _as_list(value: Any) -> Any:
    items = [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]
    if any(not isinstance(item, (str, int, float)) for item in items):
        raise ValueError("must be a word or a list of words")
    return items


Words = Annotated[Any, BeforeValidator(_as_list)]
"""One word or a list of words: ``op.confirm=upload`` and ``op.confirm=[confirm reseed, upload]``."""
