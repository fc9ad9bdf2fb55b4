# SPDX-License-Identifier: Apache-2.0
"""Where the libraries of the Hugging Face Hub keep what they download."""

from __future__ import annotations

import os
from pathlib import Path

from fvhydra.core.files import given_path


def use(home: str | None, cache: str | None) -> None:
    """Make this process, and those that it starts, use other folders. Early: libraries look when they are imported.

    Args:
        home: Instead of ``HF_HOME``; None: as it is.
        cache: Instead of ``HF_HUB_CACHE``; None: as it is.
    """
    for name, given in (("HF_HOME", home), ("HF_HUB_CACHE", cache)):
        if given is not None:
            os.environ[name] = str(given_path(given).absolute())


def folders() -> dict[str, str]:
    """The folders in use, by the variables that name them, with the libraries' defaults where they are not set."""
    general = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "huggingface"
    home = Path(os.environ.get("HF_HOME", general)).expanduser()
    cache = Path(os.environ.get("HF_HUB_CACHE", home / "hub")).expanduser()
    return {"HF_HOME": str(home), "HF_HUB_CACHE": str(cache)}
