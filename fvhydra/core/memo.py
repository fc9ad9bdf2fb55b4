# SPDX-License-Identifier: Apache-2.0
"""Values that are worked out once and then shared."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Memo:
    """Keeps what was made, by key. For one thread; an error is not kept, so whoever asks next meets it again."""

    def __init__(self) -> None:
        self._values: dict[Hashable, Any] = {}

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of ``key``: what ``make`` returned when it was asked for first."""
        if key not in self._values:
            self._values[key] = make()
        found: T = self._values[key]
        return found

    def forget(self, key: Hashable) -> None:
        """Have what is under ``key`` made anew when it is next asked for."""
        self._values.pop(key, None)
