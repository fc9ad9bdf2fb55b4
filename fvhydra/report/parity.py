# SPDX-License-Identifier: Apache-2.0
"""The page of two engines beside each other."""

from __future__ import annotations

from typing import Any

from fvhydra.core.result import RunResult
from fvhydra.report import page


def render_parity(result: RunResult, manifest: dict[str, Any]) -> str:
    """The page of ``op=parity``.

    Args:
        result: With its ``parity``.
        manifest: Its ``manifest.json``; every key is optional.
    """
    return page.render("parity.html", **page.masthead(result, manifest), parity=result.parity)
