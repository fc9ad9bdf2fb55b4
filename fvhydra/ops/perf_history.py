# SPDX-License-Identifier: Apache-2.0
"""``op=perf_history``: how performance and similarity moved over time."""

from __future__ import annotations

from pathlib import Path

from fvhydra.config.op import PerfHistoryConfig
from fvhydra.core import extras, files
from fvhydra.core.errors import UsageError, nearest
from fvhydra.core.result import RunResult
from fvhydra.core.trend import Series, Trend
from fvhydra.core.verdict import Verdict
from fvhydra.ops.base import Op
from fvhydra.ops.context import Context
from fvhydra.ops.similarity_history import similarity_series
from fvhydra.performance.history import History, read_history
from fvhydra.performance.mirror import mirror_folder
from fvhydra.performance.trends import newest, performance_series, trends

_SHOWN = 20
_NOTHING = "There is nothing to show yet: no record in the store, and no comparison in the run folders."


class PerfHistory(Op):
    """Nothing is judged: what drifted below every gate, and where a step was, is said and shown."""

    config: PerfHistoryConfig
    uses_model = False

    def preflight(self, context: Context) -> None:
        """Refuse what needs libraries that are not installed, and folders that are not there."""
        if self.config.steps:
            extras.require("op.steps=true", ["ruptures"])
        if self.config.export:
            extras.require(f"op.export=[{','.join(map(str, self.config.export))}]", ["matplotlib"])
        if missing := [folder for folder in self._named() if not folder.is_dir()]:
            raise UsageError(f"There is no folder {missing[0]}, which op.runs= names.")

    def run(self, context: Context) -> RunResult:
        """Leave ``series.json``, ``records/`` and ``plots/``."""
        context.progress.stage("sync", msg=f"records of {context.store.location}")
        mirror = mirror_folder(self.config.mirror)
        history = read_history(context.store, mirror)
        found = performance_series(history, self.config.model_id, self.config.gpu_type, self.config.last)
        self._refuse_nothing(found, history)
        records = {path.removeprefix("records/"): mirror for series in found for path in series.links}
        files.copy_all({path: folder / path for path, folder in records.items()}, context.run.path / "records")
        context.progress.stage("read", msg="similarity of earlier runs")
        similar, problems = (
            ([], []) if self._only_performance else similarity_series(self._folders(context), context.run.path)
        )
        if self.config.last is not None:
            similar = [newest(series, self.config.last) for series in similar]
        all_series = [*found, *similar]
        context.progress.stage("look", msg=f"{len(all_series)} series")
        lines = [trend for series in all_series for trend in trends(series, self.config.steps)]
        files.write_json(context.run.path / "series.json", {"schema_version": 1, "series": all_series})
        self._export(context, all_series, lines)
        points = sum(len(series.times) for series in found)
        return RunResult(
            op=self.config.name,
            verdict=Verdict.DONE,
            message=(
                f"{points} record(s) of {len(found)} model(s) and device(s) in {context.store.location}, and "
                f"{len(similar)} case(s) over {sum(len(series.times) for series in similar)} comparison(s)."
            ),
            trends=lines,
            notes=[
                *([] if lines else [_NOTHING]),
                *_findings(lines),
                *_left_out(found, [*history.problems, *problems]),
            ],
            details={"store": context.store.location, "revision": history.revision},
        )

    @property
    def _only_performance(self) -> bool:
        """Whether a benchmark or device was asked for, of which no run of ``op=check_ssim`` knows."""
        return bool(self.config.model_id or self.config.gpu_type) and not self.config.runs

    def _named(self) -> list[Path]:
        return [files.given_path(str(folder)).resolve() for folder in self.config.runs]

    def _folders(self, context: Context) -> list[Path]:
        runtime = context.config.runtime
        return self._named() or [Path(runtime.output_dir).resolve(), Path(runtime.sweep_dir).resolve()]

    def _refuse_nothing(self, found: list[Series], history: History) -> None:
        """A word that was mistyped is no empty history."""
        for key in ("model_id", "gpu_type"):
            wanted = getattr(self.config, key)
            known = sorted({getattr(record, key) for record in history.records})
            if wanted and wanted not in known:
                raise UsageError(
                    f"No record has {key} {wanted!r}.{nearest(wanted, known)}", "Leave it away to see all."
                )

    def _export(self, context: Context, series: list[Series], lines: list[Trend]) -> None:
        if not self.config.export:
            return
        from fvhydra.report.plots import plot

        for index, each in enumerate(series):
            context.progress.stage("draw", msg=each.name)
            own = [line for line in lines if line.series == each.name]
            for kind in dict.fromkeys(map(str, self.config.export)):
                plot(each, own, context.run.path / "plots" / f"{index:03}.{kind}")


def _findings(lines: list[Trend]) -> list[str]:
    """Drifts that no gate saw, and the newest step of each metric that is worse."""
    said = []
    for line in lines:
        if line.drifted and line.drift is not None:
            said.append(
                f"Drift: {line.title} of {line.series} is {line.drift:.1%} worse than it was at its best "
                f"({line.best:g} {line.unit}".rstrip()
                + f" → {line.recent:g} {line.unit}".rstrip()
                + ")."
            )
        if line.steps and line.steps[-1].worse:
            step = line.steps[-1]
            said.append(
                f"Step: {line.title} of {line.series} went {step.share:+.1%} at {step.time} "
                f"({step.before:g} → {step.after:g} {line.unit}".rstrip()
                + ")."
            )
    more = [f"and {len(said) - _SHOWN} more, all on the page."] if len(said) > _SHOWN else []
    return said[:_SHOWN] + more


def _left_out(found: list[Series], problems: list[str]) -> list[str]:
    undated = [f"{s.undated} record(s) of {s.name} have no time that can be read." for s in found if s.undated]
    more = [f"and {len(problems) - _SHOWN} more."] if len(problems) > _SHOWN else []
    return [*undated, *problems[:_SHOWN], *more]
