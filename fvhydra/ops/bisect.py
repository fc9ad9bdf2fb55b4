# SPDX-License-Identifier: Apache-2.0
"""``op=bisect``: the first commit of the engine with which a check fails."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator
from pathlib import Path

from fvhydra.config.op import BisectConfig
from fvhydra.config.root import Config
from fvhydra.core import files, untrusted
from fvhydra.core.bisection import Bisection, Commit, Outcome, Step
from fvhydra.core.errors import UsageError
from fvhydra.core.result import NextCommand, RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.ops.base import Op
from fvhydra.ops.bisect_check import PERFORMANCE, baseline_store, check_commit, measure_baseline
from fvhydra.ops.context import Context, Prepared
from fvhydra.ops.git_bisect import GitBisect, History

NAME = "bisect.jsonl"
_OUTCOMES: dict[Verdict, Outcome] = {Verdict.PASS: "good", Verdict.DONE: "good", Verdict.REGRESSION: "bad"}
_WORTH_ANOTHER = (Verdict.INCONCLUSIVE, Verdict.INFRASTRUCTURE)


class Bisect(Op):
    """Search the history of ``engine.path`` with ``git bisect``; what tells good from bad is another op of ours.

    The checkout itself is not touched: commits are put into a working tree of the run folder, which goes in the end.
    """

    config: BisectConfig
    resumable = True

    def preflight(self, context: Context) -> None:
        """Refuse ends that are none."""
        _history(context.config, self.config)

    def inputs(self, prepared: Prepared) -> dict[str, str]:
        """The two ends, which a branch's name only leads to."""
        history = _history(prepared.config, self.config)
        return super().inputs(prepared) | {"good": history.good, "bad": history.bad}

    def unsendable(self, config: Config) -> list[str]:
        """The history is on this machine."""
        return [*super().unsendable(config), f"engine.path={config.engine.path}"]

    def plan(self, context: Context) -> RunResult:
        """How many commits there are, and how many checks it takes about."""
        history = _history(context.config, self.config)
        commits = len(history.positions)
        message = f"{commits} commit(s) after {history.good[:12]}; about {_expected(commits)} checks, with both ends."
        return RunResult(self.config.name, Verdict.DONE, message, context.config.model.name)

    def run(self, context: Context) -> RunResult:
        """Leave ``bisect.jsonl``, a line a commit, and ``steps/`` with a run folder for each check."""
        history = _history(context.config, self.config)
        found = Bisection(
            repository=str(history.root),
            check=self.config.check,
            good=history.good,
            bad=history.bad,
            commits=len(history.positions),
        )
        known = {step.commit.sha: step for step in _earlier(context)}
        with GitBisect(history, context.run.path / "checkout") as search:

            def look(sha: str) -> Step:
                context.run.live.part(len(found.steps), max(_expected(found.commits), len(found.steps) + 1))
                step = known.get(sha) or self._check(context, search, history.commit(sha), len(found.steps))
                _keep(context, step)
                found.steps.append(step)
                return step

            if self.config.check == PERFORMANCE and self.config.baseline and not baseline_store(context).is_dir():
                context.progress.stage("measure", msg=f"the good end, {self.config.baseline} time(s)")
                search.check_out(history.good)
                measure_baseline(context, self.config, search.engine_path, context.run.path / "steps" / "baseline")
            for side, sha, wanted in (("good", history.good, "good"), ("bad", history.bad, "bad")):
                if (step := look(sha)).outcome != wanted:
                    return self._without_ends(context, found, side, step)
            search.start()
            while (candidate := search.candidate) is not None:
                search.mark(candidate, look(candidate).outcome)
            found.first_bad, found.suspects = search.first_bad, search.suspects
        return self._result(context, found)

    def _check(self, context: Context, search: GitBisect, commit: Commit, number: int) -> Step:
        """Check a commit, and again where the check could not tell, up to ``op.repeats`` times."""
        step = Step(commit, "skipped", [])
        for attempt in range(self.config.repeats + 1):
            again = f", try {attempt + 1}" if attempt else ""
            context.progress.stage("check", msg=f"{commit.short} {commit.subject}{again}")
            search.check_out(commit.sha)
            folder = context.run.path / "steps" / f"{number:02d}-{commit.short}{f'-{attempt + 1}' if attempt else ''}"
            step.attempts.append(check_commit(context, self.config, search.engine_path, folder))
            verdict = step.attempts[-1].verdict
            step.outcome = _OUTCOMES.get(verdict, "skipped")
            if verdict not in _WORTH_ANOTHER:
                break
        context.progress.stage(step.outcome, msg=f"{commit.short}: {step.message}")
        return step

    def _without_ends(self, context: Context, found: Bisection, side: str, step: Step) -> RunResult:
        what = {"good": "good", "bad": "bad", "skipped": "neither good nor bad"}[step.outcome]
        return RunResult(
            op=self.config.name,
            model=context.config.model.name,
            verdict=Verdict.INCONCLUSIVE,
            message=(
                f"op.{side}={getattr(self.config, side)} ({step.commit.short}) is {what} for op={found.check}, so "
                f"there is nothing to search between the two: {step.message}"
            ),
            bisection=found,
        )

    def _result(self, context: Context, found: Bisection) -> RunResult:
        checks = sum(len(step.attempts) for step in found.steps)
        after = f"found with {checks} check(s) over {found.commits} commit(s)"
        if (first := found.first_bad) is not None:
            verdict = Verdict.DONE
            message = f"First bad commit: {first.short} {first.subject} ({first.author}, {first.time}), {after}."
        else:
            verdict = Verdict.INCONCLUSIVE
            message = f"{len(found.suspects)} commit(s) may be the first bad one, since skipped ones leave it open."
        notes = [f"Skipped: {step.commit.short} {step.commit.subject}: {step.message}" for step in found.skipped]
        shown = [first] if first is not None else found.suspects
        return RunResult(
            op=self.config.name,
            model=context.config.model.name,
            verdict=verdict,
            message=message,
            notes=notes,
            next_commands=[
                NextCommand(
                    "To look at what it changed", shlex.join(["git", "-C", found.repository, "show", commit.sha])
                )
                for commit in shown[:1]
            ],
            bisection=found,
        )


def _history(config: Config, given: BisectConfig) -> History:
    if config.engine.path is None:
        raise UsageError("op=bisect searches the history of an engine.", "Add engine.path=<its checkout>.")
    return History(files.given_path(config.engine.path).absolute(), given.good, given.bad)


def _expected(commits: int) -> int:
    """Checks that halving takes, with those of the ends."""
    return 2 + math.ceil(math.log2(max(commits, 1)))


def _keep(context: Context, step: Step) -> None:
    files.append_line(context.run.path / NAME, files.canonical_json({"job": context.fingerprint(), "step": step}))


def _earlier(context: Context) -> Iterator[Step]:
    """What earlier attempts at the same search in this folder looked at; the newest last."""
    attempts = context.run.path / "attempts"
    if not context.config.resume or not attempts.is_dir():
        return
    for number in sorted(int(path.name) for path in attempts.iterdir() if path.name.isdecimal()):
        yield from _steps_of(context, attempts / str(number))


def _steps_of(context: Context, attempt: Path) -> Iterator[Step]:
    path = attempt / NAME
    if not path.is_file():
        return
    for number, line in untrusted.read_lines(path):
        where = f"{path} line {number}"
        try:
            entry = untrusted.parse_json(line, where)
            if not isinstance(entry, dict) or entry.get("job") != context.fingerprint():
                return
            step: Step = untrusted.typed(Step, entry.get("step"), f"{where} is no step of a search")
        except UsageError:  # of a process that was killed while it wrote
            return
        if not step.kept:
            below = context.run.relative(attempt)
            for check in step.attempts:
                check.log = f"{below}/{check.log}"
                check.folder = None if check.folder is None else f"{below}/{check.folder}"
            step.kept = True
        yield step
