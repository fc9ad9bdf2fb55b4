# SPDX-License-Identifier: Apache-2.0
"""Hooks around methods that are not called through ``forward``, as those of VAEs are."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def hidden(owner: Any, name: str, method: Callable[..., Any]) -> Iterator[None]:
    """Call ``method`` in place of ``owner``'s own of that name, by an attribute of the instance; blocks may nest."""
    earlier = vars(owner).get(name)
    object.__setattr__(owner, name, method)  # a torch module's own __setattr__ is for its parts
    try:
        yield
    finally:
        object.__delattr__(owner, name)
        if earlier is not None:
            object.__setattr__(owner, name, earlier)
