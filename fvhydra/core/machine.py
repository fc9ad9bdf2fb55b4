# SPDX-License-Identifier: Apache-2.0
"""What this process may use of its machine."""

from __future__ import annotations

import os

from fvhydra.core.errors import UsageError

CPUS_VARIABLE = "FVHYDRA_CPUS"
"""Environment variable of a job that shares its machine with others: how many CPUs it may keep busy."""


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
