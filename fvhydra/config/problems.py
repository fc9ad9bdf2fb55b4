# SPDX-License-Identifier: Apache-2.0
"""How a wrong configuration is reported."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # engines are run by interpreters that have no pydantic, and import this module
    import pydantic


_SHOWN = 120
"""Characters of a value in a message."""


class ConfigError(Exception):
    """Everything that is wrong with a configuration. ``cli`` shows it as a usage error (exit 2).

    Args:
        problems: One sentence each: the full key, what was given, what is allowed.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__(listing(problems))
        self.problems = problems


def listing(problems: list[str]) -> str:
    """One problem as it is, several under a heading."""
    if len(problems) == 1:
        return problems[0]
    return f"The configuration has {len(problems)} problems:" + "".join(f"\n    - {problem}" for problem in problems)


def first_problem(error: pydantic.ValidationError) -> str:
    """What is wrong with a record that a program wrote: its first wrong key, what is there, what is allowed."""
    item = error.errors(include_url=False, include_context=False)[0]
    key = ".".join(str(part) for part in item["loc"]) or "it"
    return f"{key} is {short(item['input'])}: {item['msg']}"


def short(value: object) -> str:
    """A value that somebody else wrote, as it is shown in a message: never long."""
    text = reprlib.repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the closest legal word, or an empty string.

    Example:
        >>> nearest("seed_sim", ["seed_ssim", "check_ssim"])
        " Did you mean 'seed_ssim'?"
    """
    match = difflib.get_close_matches(word, list(allowed), n=1, cutoff=0.6)
    return f" Did you mean '{match[0]}'?" if match else ""
