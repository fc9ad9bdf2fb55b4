# SPDX-License-Identifier: Apache-2.0
"""Several requests at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


def each(ask: Callable[[_Item], _Answer], items: Iterable[_Item], threads: int) -> list[_Answer]:
    """Answers in the order of the items. After the first failure, which is raised, no further item is begun.

    Without that, each of a thousand items would be tried for as long as a store tries, one after the other.
    """
    with ThreadPoolExecutor(threads) as pool:
        try:
            return list(pool.map(ask, items))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
