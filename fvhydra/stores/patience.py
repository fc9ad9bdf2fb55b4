# SPDX-License-Identifier: Apache-2.0
"""How long to try again, and how long to wait in between: the one rule of every store."""

from __future__ import annotations

import random
import time

from fvhydra.core.errors import StoreError

RETRY_S = 30.0
"""How long where no configuration says otherwise."""


class Patience:
    """Waiting between attempts, longer each time, for ``total_s`` seconds from the first failure.

    The pauses are spread by chance, so that writers who met once do not meet again.

    Args:
        total_s: From the first failure to the beginning of the last attempt.
        first_s: About the first pause; each is about twice the one before.
        longest_s: About the longest pause.
    """

    def __init__(self, total_s: float = RETRY_S, first_s: float = 0.1, longest_s: float = 8.0) -> None:
        self._total_s = total_s
        self._deadline: float | None = None
        self._pause_s = first_s
        self._longest_s = longest_s

    def wait(self, failure: StoreError, at_least_s: float = 0.0) -> None:
        """Wait before the next attempt; raise ``failure`` when there is no time left for one.

        Args:
            failure: Why the last attempt came to nothing.
            at_least_s: How long the other side asked to be left alone.
        """
        now = time.monotonic()
        if self._deadline is None:
            self._deadline = now + self._total_s
        pause_s = max(at_least_s, self._pause_s * random.uniform(0.5, 1.5))
        if now + pause_s > self._deadline:
            raise failure
        time.sleep(pause_s)
        self._pause_s = min(2 * self._pause_s, self._longest_s)
