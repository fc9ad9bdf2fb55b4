# SPDX-License-Identifier: Apache-2.0
"""Where two sets of facts differ: of a reference and a run, or of two runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fvhydra.core.result import Difference

_UNREMARKABLE = {"host", "git_commit", "git_dirty", "platform", "engine.python", "engine.path"}
"""Facts that differ between any two runs; listed after the ones that could explain a difference."""


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Difference]:
    """Keys with other values, in their order; None where a side has none.

    Example:
        >>> differences({"torch": "2.12", "av": "18"}, {"torch": "2.13", "av": "18"})
        [Difference(key='torch', reference='2.12', run='2.13')]
    """
    keys = [*first, *(key for key in second if key not in first)]
    return [Difference(key, first.get(key), second.get(key)) for key in keys if first.get(key) != second.get(key)]


def of_environments(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Difference]:
    """Facts of :func:`fvhydra.core.environment.environment` that differ, the telling ones first."""
    return sorted(differences(first, second), key=lambda difference: difference.key in _UNREMARKABLE)


def telling(found: Iterable[Difference]) -> list[Difference]:
    """The differences that could explain different output; facts that differ between any two runs are left out."""
    return [difference for difference in found if difference.key not in _UNREMARKABLE]
