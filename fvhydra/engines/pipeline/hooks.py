# SPDX-License-Identifier: Apache-2.0
"""Hooks around forward passes, and around methods that are not called through them, as those of VAEs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def around_forward(module: Any, before: Callable[..., None], after: Callable[..., None]) -> Iterator[None]:
    """Call ``before(module, args, kwargs)`` and ``after(module, args, kwargs, result)`` around each forward pass."""
    handles = [
        module.register_forward_pre_hook(before, with_kwargs=True),
        module.register_forward_hook(after, with_kwargs=True),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


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
