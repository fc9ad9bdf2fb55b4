# SPDX-License-Identifier: Apache-2.0
"""Turning the ``_target_`` of a config into the class it names."""

from __future__ import annotations

import functools
import importlib
from importlib import metadata
from typing import Any

from fvhydra.core import extras
from fvhydra.core.errors import UsageError

REGISTRY = "fvhydra"
"""Entry point group by which an installed package registers its classes, so that data may name them."""


@functools.cache
def registered() -> frozenset[str]:
    """Dotted names of the classes that installed packages register."""
    return frozenset(entry.value.replace(":", ".") for entry in metadata.entry_points(group=REGISTRY))


def is_registered(target: str) -> bool:
    """Whether ``target`` may be named by data that nobody vouches for: a class of ours, or a registered one."""
    return target.startswith(f"{__name__.partition('.')[0]}.") or target in registered()


def load_class(target: str, key: str, base: type) -> Any:
    """Import the class ``target``, which the config key ``key`` names; it must derive from ``base``.

    Raises:
        UsageError: There is no such module or class, it is something else, or it lacks methods that ``base`` asks for.
    """
    module, _, name = target.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except Exception as error:  # a module of a person's own may raise anything while it is imported
        if isinstance(lacking := extras.explained(error, f"{key}._target_={target}"), UsageError):
            raise lacking from error
        known = isinstance(error, (ImportError, AttributeError, ValueError))
        why = str(error) if known else f"{type(error).__name__}: {error}"
        raise UsageError(
            f"{key}._target_={target} cannot be imported ({why}).",
            "Check the dotted path, and that its package is installed in this environment.",
        ) from error
    if not (isinstance(found, type) and issubclass(found, base)):
        raise UsageError(f"{key}._target_={target} is not a class derived from {base.__module__}.{base.__qualname__}.")
    if missing := sorted(getattr(found, "__abstractmethods__", ())):
        raise UsageError(
            f"{key}._target_={target} lacks {', '.join(missing)}, "
            f"which {base.__module__}.{base.__qualname__} asks for.",
            f"Add to {found.__name__} what its contract names.",
        )
    return found
