# SPDX-License-Identifier: Apache-2.0
"""The folder with copies of a store's records, which commands share: only what differs is transferred again."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from fvhydra.core import files
from fvhydra.core.errors import UsageError


def mirror_folder(given: str | None) -> Path:
    """The folder that was given, or ``perf-tracking`` in the system's temp folder, made if need be.

    Raises:
        UsageError: Nobody gave one, and what has that name there is somebody else's, or a link.
    """
    if given:
        return files.given_path(given)
    folder = Path(tempfile.gettempdir()) / "perf-tracking"
    with files.explained(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or (hasattr(os, "getuid") and status.st_uid != os.getuid()):
        raise UsageError(
            f"{folder} is not a folder of yours, and copies of records are only put into one.",
            "Name another with op.mirror= or PERFORMANCE_TRACKING_ROOT.",
        )
    return folder
