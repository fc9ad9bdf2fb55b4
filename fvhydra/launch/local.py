"""``launcher=local``: in this process, one job after the other."""

from __future__ import annotations

from collections.abc import Sequence

from fvhydra.core.result import RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.launch.base import SweepLauncher
from fvhydra.launch.job import Job, not_run, run_job


class LocalLauncher(SweepLauncher):
    """The quickest way for small jobs: libraries are imported once. A native crash ends the whole sweep."""

    def run(self, jobs: Sequence[Job]) -> list[RunResult]:
        """Run one after the other. Ctrl-C ends the current job and the sweep."""
        results: list[RunResult] = []
        for job in jobs:
            interrupted = bool(results) and results[-1].verdict is Verdict.INTERRUPTED
            result = not_run(job) if interrupted else run_job(job, self.audience.listen(job), in_sweep=True)
            results.append(result)
            self.audience.ended(job, result)
        return results
