# SPDX-License-Identifier: Apache-2.0
"""The user who runs this process."""

from __future__ import annotations

import getpass
import os


def person() -> str:
    """The name of the user who runs this process, or ``uid 1234`` where the system knows none for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # KeyError until Python 3.12
        return f"uid {os.getuid()}"
