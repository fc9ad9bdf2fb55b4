# SPDX-License-Identifier: Apache-2.0
"""Decoding in the background."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


@contextlib.contextmanager
def prefetched(items: Generator[T, None, None], depth: int = 2) -> Iterator[Iterator[T]]:
    """Run a generator in a thread of its own, at most ``depth`` items ahead of whoever consumes it.

    PyAV lets other threads run while it decodes, so a clip decodes while the frames before are worked on, and two
    clips decode at once. An exception of the generator is raised where its item would have come. Leaving the block
    early, also by Ctrl-C, waits for one item at most, then closes the generator.

    Example:
        >>> with prefetched(number for number in range(3)) as numbers:
        ...     list(numbers)
        [0, 1, 2]
    """
    end = object()
    pool = ThreadPoolExecutor(max_workers=1)
    # one submitted task is one item: the bounded queue, the order and the exceptions are the executor's
    waiting = deque(pool.submit(next, items, end) for _ in range(depth))

    def consume() -> Iterator[T]:
        while (item := waiting.popleft().result()) is not end:
            waiting.append(pool.submit(next, items, end))
            yield item  # type: ignore[misc]  # everything but the end marker is a T

    try:
        yield consume()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        items.close()
