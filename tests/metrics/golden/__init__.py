# SPDX-License-Identifier: Apache-2.0
"""Values recorded from FastVideo's and the benchmarks' own code, and the recipes of what they were computed on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent


def load(name: str) -> Any:
    """The recorded file ``<name>.json``. Numbers that JSON does not have are the strings ``nan``, ``inf``, ``-inf``."""
    return json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
