# SPDX-License-Identifier: Apache-2.0
"""What this process may use of its machine."""

from __future__ import annotations

import os

from fvhydra.core.errors import UsageError

CPUS_VARIABLE = "FVHYDRA_CPUS"
"""Environment variable of a job that shares its machine with others: how many CPUs it may keep busy."""


def has_process_groups() -> bool:
    """Whether processes can be divided and ended with all that they started, as Linux and macOS can and Windows not."""
    return hasattr(os, "fork") and hasattr(os, "killpg")


def require_process_groups(who: str, instead: str) -> None:
    """Refuse a choice on a system that cannot end all of what it would start.

    Raises:
        UsageError: Names the choice, and what to choose there.
    """
    if not has_process_groups():
        raise UsageError(f"{who} needs Linux or macOS: Windows knows no groups of processes.", instead)


def no_detour() -> int:
    """Flags by which a file is opened without following a link or waiting for a FIFO, as far as the system has them."""
    return getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


def cpus() -> int:
    """CPUs that this process may keep busy: as :data:`CPUS_VARIABLE` says, else all that it may run on.

    Raises:
        UsageError: The variable is no number of CPUs.
    """
    if share := os.environ.get(CPUS_VARIABLE):
        if not share.isdecimal() or int(share) < 1:
            raise UsageError(f"{CPUS_VARIABLE}={share} must be a number of CPUs, 1 or more.")
        return int(share)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
