# SPDX-License-Identifier: Apache-2.0
"""Reports of runs and sweeps: pure functions of their records and of what lies in their folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fvhydra.core.files import write_text
from fvhydra.core.result import RunResult, SweepJob
from fvhydra.report.html import render_html, render_sweep_html
from fvhydra.report.junit import render_junit
from fvhydra.report.markdown import render_markdown, render_sweep_markdown
from fvhydra.report.wording import run_name


def write_report(run_dir: Path, result: RunResult, manifest: dict[str, Any]) -> Path:
    """Write ``report/index.html``, ``report/junit.xml`` and ``report/summary.md`` of a run, each atomically.

    Args:
        run_dir: The run folder, with the files that ``result`` names.
        result: What the run found out.
        manifest: Its manifest; ``environment``, ``command``, ``created`` and ``config`` are shown where present.

    Returns:
        Path of the page.

    Raises:
        UsageError: The folder cannot be written.
    """
    return _write(
        run_dir / "report",
        html=_page(run_dir, result, manifest),
        junit=render_junit([(run_name(result), result)]),
        markdown=render_markdown(result),
    )


def write_sweep_report(sweep_dir: Path, jobs: Sequence[SweepJob]) -> Path:
    """Write the same three files for a sweep, every job in them, the worst first.

    Args:
        sweep_dir: The sweep's folder.
        jobs: All jobs, in their order.

    Returns:
        Path of the page.

    Raises:
        UsageError: The folder cannot be written.
    """
    ordered = sorted(jobs, key=lambda job: -job.result.verdict.exit_code)
    return _write(
        sweep_dir / "report",
        html=render_sweep_html(sweep_dir, ordered),
        junit=render_junit((f"{job.number} {run_name(job.result)} {job.title}".strip(), job.result) for job in ordered),
        markdown=render_sweep_markdown(ordered),
    )


def _page(run_dir: Path, result: RunResult, manifest: dict[str, Any]) -> str:
    if result.metrics:
        from fvhydra.report.evaluation import render_evaluation

        return render_evaluation(run_dir, result, manifest)
    if result.comparisons:
        from fvhydra.report.comparison import render_comparison

        return render_comparison(run_dir, result, manifest)
    if result.measurements or result.ratios:
        from fvhydra.report.bench import render_bench

        return render_bench(result, manifest)
    if result.parity is not None:
        from fvhydra.report.parity import render_parity

        return render_parity(run_dir, result, manifest)
    if result.port is not None:
        from fvhydra.report.port import render_port

        return render_port(result, manifest)
    if result.trends:
        from fvhydra.report.trends import render_trends

        return render_trends(run_dir, result, manifest)
    if result.bisection is not None:
        from fvhydra.report.bisection import render_bisection

        return render_bisection(run_dir, result, manifest)
    if result.performance:
        from fvhydra.report.performance import render_performance

        return render_performance(result, manifest)
    return render_html(run_dir, result, manifest)


def _write(folder: Path, *, html: str, junit: str, markdown: str) -> Path:
    write_text(folder / "junit.xml", junit)
    write_text(folder / "summary.md", markdown)
    index = folder / "index.html"
    write_text(index, html)
    return index
