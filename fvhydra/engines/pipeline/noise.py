# SPDX-License-Identifier: Apache-2.0
"""The function of diffusers that draws noise, replaced in every module that has imported it."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch


@contextlib.contextmanager
def replaced(wrapper: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Iterator[None]:
    """Use ``wrapper(randn_tensor)`` for ``randn_tensor`` until the block ends. Blocks do not nest."""
    from diffusers.utils import torch_utils

    original = torch_utils.randn_tensor
    wrapped = functools.wraps(original)(wrapper(original))
    users = _users_of_noise(len(sys.modules))
    for module in users:
        vars(module)["randn_tensor"] = wrapped
    try:
        yield
    finally:
        for module in users:
            vars(module)["randn_tensor"] = original


@functools.lru_cache(maxsize=1)  # there are thousands of modules, and seldom new ones
def _users_of_noise(loaded: int) -> list[Any]:
    """The modules of diffusers that have imported the function that draws noise, among so many that are loaded."""
    from diffusers.utils.torch_utils import randn_tensor

    own = [module for name, module in [*sys.modules.items()] if name.startswith("diffusers.") and module is not None]
    return [module for module in own if vars(module).get("randn_tensor") is randn_tensor]


def drawn_in(dtype: torch.dtype) -> contextlib.AbstractContextManager[None]:
    """Draw noise in ``dtype`` where a wider one is asked for: a seed gives other values in another dtype."""

    def wrapper(original: Callable[..., Any]) -> Callable[..., Any]:
        def randn_tensor(*args: Any, dtype: torch.dtype | None = None, **kwargs: Any) -> Any:
            asked = dtype or torch.get_default_dtype()
            if asked.itemsize <= narrow.itemsize or not asked.is_floating_point:
                return original(*args, dtype=dtype, **kwargs)
            return original(*args, dtype=narrow, **kwargs).to(asked)

        return randn_tensor

    narrow = dtype
    return replaced(wrapper)
