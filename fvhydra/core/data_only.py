# SPDX-License-Identifier: Apache-2.0
"""What a project's files may not say, since whoever wrote the checkout wrote them: they are data.

Only a person's own words and environment run programs, hand out tokens and confirm changes. Keys that do are declared
so (``typed=True`` in ``fvhydra/config``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fvhydra.config.schema import typed_only
from fvhydra.core.errors import UsageError
from fvhydra.core.trust import is_registered

_KEY = re.compile(r"\+{0,2}(?P<key>[A-Za-z][\w./-]*)")
_RESOLVER = re.compile(r"\$\{\s*[\w.]+\s*:")
_HINT = "Type it, or export it: this file is data, whoever wrote it."


def refuse_untyped(word: str, where: str) -> None:
    """Refuse an override that only a person may give.

    Raises:
        UsageError: It names a class, sets what is Hydra's or what is declared as the person's own, or reads the
            environment.
    """
    given, equals, value = word.partition("=")
    match = _KEY.fullmatch(given)
    if match is None or not equals:
        raise UsageError(f"{where}: {word!r} must be key=value, of a group or a key of the command line.")
    refuse_key(match["key"], where)
    owned = [key for key in typed_only() if key.startswith(f"{match['key']}.")]
    if "_target_" in value or (owned and "{" in value.replace("${", "")):
        raise UsageError(f"{where}: {word}: only the command line may give this.", _HINT)
    refuse_resolvers(value, f"{where}: {given}")


def refuse_key(key: str, where: str) -> None:
    """Refuse a dotted key that only a person may set.

    Raises:
        UsageError: Names it.
    """
    parts = key.replace("/", ".").split(".")
    mine = [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
    if parts[0] == "hydra" or any(part.startswith("_") for part in parts) or typed_only().intersection(mine):
        raise UsageError(f"{where}: {key}: only the command line may set this.", _HINT)


def refuse_resolvers(value: str, where: str) -> None:
    """Refuse a value that is computed: one that reads the environment, where secrets are.

    Raises:
        UsageError: Says which.
    """
    if _RESOLVER.search(value):
        raise UsageError(f"{where}={value}: only keys may be referred to, as in ${{seed}}.", _HINT)


def refuse_file(file: Path, group: str, values: Any) -> None:
    """Refuse a YAML file of a project's folder that does more than give values.

    Args:
        group: Where the values belong; empty at the top.
        values: What is in the file, unresolved.

    Raises:
        UsageError: It sets what only a person may set, or names a class that is not registered.
    """
    for key, value in _leaves(values, group):
        if key.endswith("._target_"):
            refuse_unregistered(file, key, str(value))
        else:
            refuse_key(key, str(file))
            refuse_resolvers(str(value), f"{file}: {key}")


def refuse_unregistered(file: Path, key: str, target: str) -> None:
    """Refuse a class that nobody installed for this.

    Raises:
        UsageError: It is neither ours nor registered.
    """
    if not is_registered(target):
        raise UsageError(
            f"{file}: {key}={target} is no class of fvhydra, nor registered by an installed package.",
            "Name the folder yourself if you trust it (--config-dir), or install the package that registers the class.",
        )


def _leaves(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Dotted keys and values of a tree of plain values."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _leaves(part, f"{key}.{name}".lstrip("."))
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part, key)
    else:
        yield key, value
