# SPDX-License-Identifier: Apache-2.0
"""Values as Hydra's grammar of overrides has them."""

from __future__ import annotations

import json
from typing import Any


def quoted(text: str) -> str:
    """``text`` as a quoted string of Hydra's grammar whose value is ``text`` again, interpolation included.

    Raises:
        UsageError: The text has control characters that no file name or prompt needs (Hydra cannot carry them).
    """
    # in Hydra's quotes a backslash is literal unless it stands before a quote (or before another that does);
    # OmegaConf then reads ${ as an interpolation unless a backslash, itself doubled if literal, stands before it
    escaped = ""
    pending = 0
    for position, char in enumerate(text):
        if char == "\\":
            pending += 1
            continue
        if text.startswith("${", position):
            escaped += "\\" * (2 * pending) + "\\" + char
        elif char == "'":
            escaped += "\\" * (2 * pending) + "\\'"
        else:
            escaped += "\\" * pending + char
        pending = 0
    return "'" + escaped + "\\" * (2 * pending) + "'"


def override_value(value: Any) -> str:
    """``value`` as what stands behind the ``=`` of an override that sets it.

    Args:
        value: JSON types. Keys of mappings are words, dots included: the grammar has no quoted ones.

    Example:
        >>> override_value({"engine.python": "/opt/a, b/python", "runs": [1, None]})
        "{engine.python: '/opt/a, b/python', runs: [1, null]}"
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {override_value(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(override_value, value)) + "]"
    return quoted(value) if isinstance(value, str) else json.dumps(value)
