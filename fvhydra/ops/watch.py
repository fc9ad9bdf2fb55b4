# SPDX-License-Identifier: Apache-2.0
"""``op=watch``: look at runs for as long as they go on, wherever their folders are."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from fvhydra.config.op import WatchConfig
from fvhydra.core.errors import InfrastructureError, UsageError
from fvhydra.core.places import Access, Place, Unreachable
from fvhydra.core.result import RunResult
from fvhydra.core.verdict import Verdict, worst
from fvhydra.ops.base import Op
from fvhydra.ops.context import Context
from fvhydra.ops.watched import Tail, View, WatchedRun, find_runs

_LOOK_AROUND_S = 5.0
"""Between two searches for new runs."""
_LONGEST_PAUSE_S = 15.0


class Watch(Op):
    """Only reads: the run does not notice, and goes on when this ends."""

    config: WatchConfig
    follows = True
    writes_run_folder = False
    uses_model = False

    def run(self, context: Context) -> RunResult:
        """Refuse to run as a job.

        Raises:
            UsageError: Always.
        """
        raise UsageError("op=watch looks at jobs, and cannot be one itself.", "Leave -m and launcher= away.")

    def follow(self, context: Context) -> Iterator[View]:
        """A view for each look, until all runs have ended."""
        place = self._place(context)
        runs: dict[str, WatchedRun] = {}
        answered = looked_around = float("-inf")
        pause_s = self.config.interval_s
        try:
            while True:
                trouble = ""
                try:
                    place.forget()
                    if time.monotonic() - looked_around >= _LOOK_AROUND_S or _all_ended(runs):
                        self._look_around(place, runs)
                        looked_around = time.monotonic()
                    for run in (run for run in runs.values() if not run.ended):
                        run.look(place, self.config.stale_s)
                    answered, pause_s = time.monotonic(), self.config.interval_s
                except Unreachable as error:
                    if answered == float("-inf"):
                        raise
                    silent_s = time.monotonic() - answered
                    if silent_s > self.config.patience_s:
                        hint = "The runs may go on; the same command comes back to them."
                        raise InfrastructureError(f"{error.message} (for {silent_s:.0f} s)", hint) from error
                    trouble = f"{error.message} Trying again for {self.config.patience_s - silent_s:.0f} s."
                    pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                view = View(place.address, list(runs.values()), self.config.stale_s, trouble)
                yield view
                if self.config.once or (view.over and not trouble):
                    return
                time.sleep(pause_s)
        finally:
            place.close()

    def concluded(self, view: View) -> RunResult:
        """The verdict of the runs that ended, the worst first; ``done`` when none has."""
        ended = [run for run in view.runs if run.verdict is not None]
        verdict = worst(run.verdict for run in ended if run.verdict) if ended else Verdict.DONE
        several = f"{len(ended)} of {len(view.runs)} run(s) have ended."
        message = ended[0].message if len(view.runs) == 1 and ended else several
        notes = [f"{run.path}: {run.verdict}  {run.message}" for run in ended if len(view.runs) > 1]
        return RunResult(op=self.config.name, verdict=verdict, message=message, notes=notes)

    def _place(self, context: Context) -> Place:
        given = context.config.source or str(Path(context.config.runtime.output_dir) / "latest")
        config = self.config
        return Place(
            given,
            Access(config.port, config.key_file, config.accept_new_host, config.timeout_s, config.storage_options),
        )

    def _look_around(self, place: Place, runs: dict[str, WatchedRun]) -> None:
        for path in find_runs(place):
            if path not in runs:
                runs[path] = WatchedRun(path, [Tail(word, self.config.tail_lines) for word in self.config.tail])
        if not runs:
            raise UsageError(
                f"from={place.address}: no run folder is there or below (none has a status/).",
                "Give the folder that a command printed, or one above it: outputs, multirun, sftp://user@host/path.",
            )


def _all_ended(runs: dict[str, WatchedRun]) -> bool:
    return all(run.ended for run in runs.values())
