# SPDX-License-Identifier: Apache-2.0
"""What is in the folder where the commands of a test ran."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fvhydra.config.store import LocalStoreConfig
from fvhydra.stores.local import LocalStore


def store_of(folder: Path) -> LocalStore:
    """The store of its commands."""
    return LocalStore(LocalStoreConfig(_target_="", name="local", path=str(folder / "store")))


def tree_of(folder: Path) -> dict[str, str]:
    """Digests of what is in that store now, by path."""
    return {path: entry.digest for path, entry in store_of(folder).files().items()}


def latest_of(folder: Path) -> dict[str, Any]:
    """``result.json`` of the latest run."""
    found: dict[str, Any] = json.loads((folder / "outputs" / "latest" / "result.json").read_text())
    return found
