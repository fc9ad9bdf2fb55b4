# SPDX-License-Identifier: Apache-2.0
"""Turning the ``_target_`` of a config into the class it names."""

from __future__ import annotations

import importlib
from typing import Any

from fvhydra.core import extras
from fvhydra.core.errors import UsageError
from fvhydra.core.trust import refuse_class


def load_class(target: str, key: str, base: type) -> Any:
    """Import the class ``target``, which ``key`` of a configuration names; it must derive from ``base``.

    Raises:
        UsageError: Neither this command line nor an installed package names it; there is no such module or class, it
            is something else, or it lacks methods that ``base`` asks for.
    """
    refuse_class(target, key)
    module, _, name = target.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except Exception as error:  # a module of a person's own may raise anything while it is imported
        if isinstance(lacking := extras.explained(error, f"{key}={target}"), UsageError):
            raise lacking from error
        known = isinstance(error, (ImportError, AttributeError, ValueError))
        why = str(error) if known else f"{type(error).__name__}: {error}"
        raise UsageError(
            f"{key}={target} cannot be imported ({why}).",
            "Check the dotted path, and that its package is installed in this environment.",
        ) from error
    if not (isinstance(found, type) and issubclass(found, base)):
        raise UsageError(f"{key}={target} is not a class derived from {base.__module__}.{base.__qualname__}.")
    if missing := sorted(getattr(found, "__abstractmethods__", ())):
        raise UsageError(
            f"{key}={target} lacks {', '.join(missing)}, which {base.__module__}.{base.__qualname__} asks for.",
            f"Add to {found.__name__} what its contract names.",
        )
    return found
