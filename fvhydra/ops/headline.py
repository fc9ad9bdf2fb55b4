# SPDX-License-Identifier: Apache-2.0
"""The sentence that stands for all cases of a check: how many failed, and the worst of them."""

from __future__ import annotations

from collections.abc import Sequence

from fvhydra.core.result import CaseResult
from fvhydra.core.verdict import Verdict
from fvhydra.report.measures import worst_misses


def headline(results: Sequence[CaseResult]) -> str:
    """How many cases there are of each verdict that is no success, the worst verdict first.

    For cases outside tolerance it has, of each number, the value that is farthest beyond its limit and whose it is: the
    value of any other case would make the change look smaller than it is.
    """
    verdicts = sorted({result.verdict for result in results} - {Verdict.PASS}, key=lambda found: -found.exit_code)
    if not verdicts:
        return f"{len(results)} case(s) within tolerance."
    return " ".join(_counted(verdict, results) for verdict in verdicts)


def _counted(verdict: Verdict, results: Sequence[CaseResult]) -> str:
    those = [result for result in results if result.verdict is verdict]
    return f"{len(those)} of {len(results)} case(s): {_numbers(those) or _reasons(those)}"


def _numbers(results: Sequence[CaseResult]) -> str:
    """The worst of each number that misses its limit; empty where no case has one."""
    misses = [
        f"{measure.name} is {measure.value:.6g} in case {case.index}, allowed {measure.limit}"
        for case, measure in worst_misses(results)
    ]
    if not misses:
        return ""
    apart = [result for result in results if result.comparison and result.comparison.difference]
    others = f" {len(apart)} of them cannot be compared: {_reasons(apart)}" if apart else ""
    return f"{'at worst, ' if len(results) > 1 else ''}{'; '.join(misses)}.{others}"


def _reasons(results: Sequence[CaseResult]) -> str:
    """What the cases say; of several messages the first, whose it is, and how many there are."""
    messages = dict.fromkeys(result.message for result in results)
    several = f" That is case {results[0].index}; {len(messages)} messages differ." if len(messages) > 1 else ""
    return f"{results[0].message}{several}"
