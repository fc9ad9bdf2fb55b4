# SPDX-License-Identifier: Apache-2.0
"""``launcher=local``: in this process, one job after the other."""

from __future__ import annotations

from collections.abc import Sequence

from fvhydra.core.verdict import Verdict
from fvhydra.launch.base import Launcher
from fvhydra.launch.job import Job, run_job


class LocalLauncher(Launcher):
    """The quickest way for small jobs: libraries are imported once. A native crash ends the whole sweep."""

    windows = True

    def run(self, jobs: Sequence[Job]) -> None:
        """Run one after the other. Ctrl-C ends the current job and the sweep."""
        for job in jobs:
            result = run_job(job, self.listen(job), preflight=False)
            self.ended(job, result)
            if result.verdict is Verdict.INTERRUPTED:
                raise KeyboardInterrupt
