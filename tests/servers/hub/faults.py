# SPDX-License-Identifier: Apache-2.0
"""What can be made to go wrong, and where."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass
class Fault:
    """Something that happens to requests whose path (unquoted, without query) ``path`` is found in.

    Actions:
        ``status``: answer with ``status``, ``headers`` and ``message`` instead of doing anything.
        ``drop``: break the connection after ``after_bytes`` of the request's body have arrived.
        ``lose``: do everything, then break the connection instead of answering.
        ``spoil``: do everything, then answer with ``status`` as if it had failed.
        ``stall``: stop reading after ``after_bytes`` and never answer, for ``seconds``.
        ``flip``: answer with one bit of the file flipped.
        ``truncate``: announce the whole file, send ``after_bytes`` of it.
        ``reset``: the same, and the connection is reset.
        ``pause``: announce the whole file, send ``after_bytes`` of it, then nothing for ``seconds``.
        ``call``: do ``call()`` first, then as usual: a second writer gets in between.

    A broken connection is reset, or, when ``orderly``, closed as a proxy does it.
    """

    action: str
    path: str
    method: str = "*"
    times: int = 1
    skip: int = 0
    status: int = 500
    message: str = "injected fault"
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    after_bytes: int = 0
    orderly: bool = False
    seconds: float = 60.0
    call: Callable[[], object] = bool

    def takes(self, method: str, path: str) -> bool:
        """Whether it happens to this request; counts."""
        if self.times <= 0 or self.method not in ("*", method) or not re.search(self.path, path):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return True
