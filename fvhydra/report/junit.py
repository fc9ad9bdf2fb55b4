# SPDX-License-Identifier: Apache-2.0
"""JUnit XML, for the tables that CI systems draw.

A case that was compared and is outside tolerance is a *failure*. Everything else that is not a success is an *error*:
a missing reference or another recipe must never show up as green, nor as skipped.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from typing import Any

from fvhydra.core.performance import PerfComparison, PerfMetric
from fvhydra.core.result import CaseResult, GateResult, RunResult
from fvhydra.core.text import printable
from fvhydra.core.verdict import Verdict
from fvhydra.report.measures import measured_values
from fvhydra.report.wording import (
    SUCCESS,
    case_name,
    first_line,
    outcome,
    perf_cells,
    perf_name,
    value_text,
    verdict_word,
)


def render_junit(runs: Iterable[tuple[str, RunResult]]) -> str:
    """One ``testsuite`` a run, one ``testcase`` a case or a gated metric, as valid XML 1.0.

    Args:
        runs: Suite name and result of each run.
    """
    root = ET.Element("testsuites")
    for name, result in runs:
        root.append(_suite(name, result))
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(name: str, result: RunResult) -> ET.Element:
    suite = ET.Element("testsuite", name=printable(name))
    for case in result.cases:
        suite.append(_case(case, result))
    for gate in result.gates:
        suite.append(_gate(gate, result))
    for found in result.performance:
        for metric in found.metrics:
            if metric.verdict is not None or metric.over_ceiling:
                suite.append(_perf_metric(metric, found, result))
    # a run that failed as a whole (before its first case, or after its last) would look green by its cases alone
    verdicts = [case.verdict for case in result.cases] + [gate.verdict for gate in result.gates]
    for found in result.performance:
        own = _perf_verdicts(found)
        if found.verdict not in own:  # no baseline, a run that failed
            _add_whole(suite, perf_name(found), result, found.verdict, found.reason)
        verdicts += [*own, found.verdict]
    if result.verdict not in verdicts:
        _add_whole(suite, result.op, result, result.verdict, result.message)
    suite.set("tests", str(len(suite.findall("testcase"))))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", str(len(suite.findall("testcase/error"))))
    if result.message:
        ET.SubElement(suite, "system-out").text = printable(result.message)
    suite.set("time", f"{sum(_total_s(case) for case in result.cases):.3f}")
    return suite


def _add_whole(suite: ET.Element, name: str, result: RunResult, verdict: Verdict, message: str) -> None:
    whole = ET.SubElement(suite, "testcase", name=printable(name), classname=_classname(result))
    _add_outcome(whole, verdict, message)


def _case(case: CaseResult, result: RunResult) -> ET.Element:
    element = ET.Element(
        "testcase", name=printable(case_name(case)), classname=_classname(result), time=f"{_total_s(case):.3f}"
    )
    values = {
        "verdict": case.verdict.value,
        "fingerprint": case.fingerprint,
        "artifact": case.artifact,
        "reference": case.reference,
        "store_path": case.store_path,
        **{measure.key: measure.value for measure in measured_values(case)},
        **case.seconds,
    }
    _add_properties(element, values)
    _add_outcome(element, case.verdict, outcome(case))
    return element


def _gate(gate: GateResult, result: RunResult) -> ET.Element:
    element = ET.Element(
        "testcase", name=printable(f"{gate.metric} {gate.limit}"), classname=_classname(result), time="0.000"
    )
    _add_properties(element, {"verdict": gate.verdict.value, "value": gate.value, "limit": gate.limit})
    _add_outcome(element, gate.verdict, "\n".join([gate.message, *gate.worst]))
    return element


def _perf_metric(metric: PerfMetric, found: PerfComparison, result: RunResult) -> ET.Element:
    """A metric that does not decide is a success with its verdict beside it."""
    name = printable(f"{perf_name(found)}: {metric.title}")
    element = ET.Element("testcase", name=name, classname=_classname(result), time="0.000")
    keys = ("current", "baseline", "change", "unit", "threshold_percent", "threshold_absolute", "ceiling")
    verdict = metric.verdict.value if metric.verdict else None
    _add_properties(element, {"verdict": verdict, **{key: getattr(metric, key) for key in keys}})
    if metric.over_ceiling:
        _add_outcome(element, Verdict.REGRESSION, f"{metric.current:g} {metric.unit}, at most {metric.ceiling:g}")
    elif metric.gated and metric.verdict is not None:
        _add_outcome(element, metric.verdict, " ".join(filter(None, perf_cells(metric)[1:])))
    return element


def _perf_verdicts(found: PerfComparison) -> list[Verdict]:
    over = [Verdict.REGRESSION for metric in found.metrics if metric.over_ceiling]
    return over + [metric.verdict for metric in found.metrics if metric.gated and metric.verdict is not None]


def _add_properties(element: ET.Element, values: dict[str, Any]) -> None:
    properties = ET.SubElement(element, "properties")
    for key, value in values.items():
        if value is not None:
            text = repr(value) if isinstance(value, float) else value_text(value)
            ET.SubElement(properties, "property", name=printable(key), value=printable(text))


def _add_outcome(element: ET.Element, verdict: Verdict, message: str) -> None:
    if verdict in SUCCESS:
        return
    tag = "failure" if verdict is Verdict.REGRESSION else "error"
    summary = first_line(message) or verdict_word(verdict)
    failure = ET.SubElement(element, tag, type=verdict.value, message=printable(summary))
    failure.text = printable(message)


def _classname(result: RunResult) -> str:
    return printable(".".join(part for part in ("fvhydra", result.op, result.model.replace(".", "_")) if part))


def _total_s(case: CaseResult) -> float:
    return case.seconds.get("total_s", 0.0)
