# SPDX-License-Identifier: Apache-2.0
"""Writes what metrics see into docs/metrics.md: ``python -m tests.metrics.table``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from fvhydra.metrics.assets import HubAssets
from fvhydra.metrics.catalogue import CLASSES, metric_class
from tests.metrics.mutations import MUTATIONS
from tests.metrics.scenes import Stage

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
_BEGIN, _END = "<!-- begin mutations: python -m tests.metrics.table -->\n", "<!-- end mutations -->"
_SAME = 1e-6


def change(stage: Stage, metric: str, mutation: str) -> str:
    """What a mutation does to a metric's value: ``worse``, ``better``, ``same``, or ``none`` where it leaves none."""
    own = stage.right(metric)
    before, after = stage.value(metric, own), stage.value(metric, MUTATIONS[mutation](own))
    assert before is not None, metric
    if after is None:
        return "none"
    gain = (after - before) * (-1 if metric_class(metric).spec.direction == "lower" else 1)
    return "same" if abs(gain) < _SAME else "better" if gain > 0 else "worse"


def cell(stage: Stage, metric: str, mutation: str) -> str:
    """A cell of the table; what random networks think of mutations that they do not promise to see is left out."""
    spec = metric_class(metric).spec
    if mutation in spec.sees:
        return "**sees**"
    own = stage.right(metric)
    if not stage.reads(metric, own, MUTATIONS[mutation](own)):
        return ""
    return (
        "?"
        if spec.loads(spec.params())
        else {"same": "blind", "better": "misled"}.get(found := change(stage, metric, mutation), found)
    )


def table(stage: Stage) -> str:
    """All metrics that there are against all mutations, as Markdown."""
    lines = [["metric", *MUTATIONS], ["---"] * (len(MUTATIONS) + 1)]
    lines += [[f"`{metric}`", *(cell(stage, metric, mutation) for mutation in MUTATIONS)] for metric in sorted(CLASSES)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def written(page: str) -> str:
    """The table as the page has it."""
    return page.partition(_BEGIN)[2].partition(_END)[0].strip("\n") + "\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder), HubAssets("cpu", Path(folder) / "cache", tiny=True))
        page = PAGE.read_text(encoding="utf-8")
        before, _, rest = page.partition(_BEGIN)
        after = rest.partition(_END)[2]
        PAGE.write_text(f"{before}{_BEGIN}\n{table(stage)}\n{_END}{after}", encoding="utf-8")
    print(f"wrote {PAGE.name}", file=sys.stderr)


if __name__ == "__main__":
    main()
