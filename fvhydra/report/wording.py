"""How reports spell verdicts, numbers and text that came from outside."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from fvhydra.core.result import CaseResult, RunResult
from fvhydra.core.verdict import Verdict

TONES = {
    Verdict.DONE: ("neutral", "•"),
    Verdict.PASS: ("good", "✓"),
    Verdict.REGRESSION: ("bad", "✕"),
    Verdict.USAGE_ERROR: ("error", "!"),
    Verdict.NO_REFERENCE: ("warn", "?"),
    Verdict.RECIPE_MISMATCH: ("warn", "≠"),
    Verdict.INFRASTRUCTURE: ("error", "!"),
    Verdict.INCONCLUSIVE: ("warn", "~"),
    Verdict.INTERRUPTED: ("error", "■"),
}
"""Verdict to (tone, glyph): the tone picks the colour, the glyph and the word say the same without it."""

SUCCESS = (Verdict.PASS, Verdict.DONE)

# What XML 1.0 cannot carry at all (section 2.2, "Char"); lone surrogates cannot even be written as UTF-8.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def printable(text: str) -> str:
    """``text`` without control characters and lone surrogates, which neither XML nor HTML may contain."""
    return _UNPRINTABLE.sub("", text)


def first_line(text: str) -> str:
    """The first non-empty line of ``text``, stripped."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def verdict_word(verdict: Verdict) -> str:
    """``no reference`` for ``no_reference``."""
    return verdict.value.replace("_", " ")


def tally(verdicts: Iterable[Verdict]) -> list[tuple[Verdict, int]]:
    """How many there are of each verdict, the worst verdict first."""
    counts = Counter(verdicts)
    return sorted(counts.items(), key=lambda item: -item[0].exit_code)


def number(value: float | None) -> str:
    """A measured value to about four places; ``not measured`` for None."""
    if value is None:
        return "not measured"
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e5 else f"{value:.2e}"


def value_text(value: Any) -> str:
    """A recorded JSON value as one line: shapes as ``1 × 128 × 6``, long lists cut, objects as JSON."""
    if value is None:
        return "none"
    if isinstance(value, (list, tuple)):
        if value and all(isinstance(item, int) for item in value):
            return " × ".join(str(item) for item in value)
        head = ", ".join(value_text(item) for item in value[:6])
        return f"[{head}, … {len(value)} values]" if len(value) > 6 else f"[{head}]"
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def case_name(case: CaseResult) -> str:
    """What tells a case from its neighbours in one run: index, seed and prompt, in one line."""
    return f"#{case.index} seed {case.seed}: {' '.join(case.prompt.split())}"


def run_name(result: RunResult) -> str:
    """Op and model, for titles."""
    return f"{result.op} · {result.model}" if result.model else result.op
