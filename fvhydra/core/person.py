# SPDX-License-Identifier: Apache-2.0
"""The user who runs this process."""

from __future__ import annotations

import getpass
import os
import subprocess


def person() -> str:
    """The name of the user who runs this process, or ``uid 1234`` where the system knows none for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # until Python 3.12; ImportError is Windows'
        return f"uid {os.getuid()}" if hasattr(os, "getuid") else "somebody"


def operator() -> str:
    """Who confirms, for records that others read: git's user name, else the login, else ``unknown``."""
    try:
        done = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True, timeout=10, check=False)
        if name := done.stdout.strip():
            return name
    except (OSError, subprocess.TimeoutExpired):
        pass
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "unknown"
