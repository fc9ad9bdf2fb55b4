# SPDX-License-Identifier: Apache-2.0
"""``op=verify``: is everything in the store, and is it whole?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fvhydra.config.op import VerifyConfig
from fvhydra.core import files
from fvhydra.core.result import RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.ops.base import Op
from fvhydra.ops.context import Context
from fvhydra.stores.verification import Finding, Kind, Verification

_HEADINGS = {
    Kind.DAMAGED: "damaged",
    Kind.LOST: "lost",
    Kind.HISTORY: "commit(s) unreadable",
    Kind.FORMER: "damaged only in earlier revisions, and replaced since",
    Kind.LITTER: "left by commands that were killed",
    Kind.VIEW: "not as the newest revision has it in what people look at",
    Kind.STRANGE: "strange",
}
_MOST_LINES = 20


class Verify(Op):
    """Every content against its hash, every commit, what is shown, what lies about; exit 4 when something is lost."""

    config: VerifyConfig
    writes_run_folder = False
    uses_model = False

    def preflight(self, context: Context) -> None:
        """Refuse to repair what cannot be written."""
        if self.config.repair:
            context.store.check_writable()

    def run(self, context: Context) -> RunResult:
        """One line for each thing that is not as it should be, and what to do about it."""
        store = context.store
        found = store.verify(lambda line: context.progress.stage("verify", msg=line), repair=self.config.repair)
        looked = f"{found.files} file(s) in {found.commits} commit(s), {found.size / 1e6:.1f} MB"
        return RunResult(
            op=self.config.name,
            verdict=Verdict.INFRASTRUCTURE if found.harm else Verdict.DONE,
            message=f"{store.location}: {looked}: {_summary(found)}.",
            notes=[*_lines(found.findings), *_advice(found, self.config.repair)],
            details={"findings": files.plain(found.findings)},
        )


def _summary(found: Verification) -> str:
    counts = [
        f"{sum(finding.kind is kind for finding in found.harm)} {_HEADINGS[kind]}"
        for kind in Kind
        if any(finding.kind is kind for finding in found.harm)
    ]
    return ", ".join(counts) or "all of it is whole"


def _lines(findings: Iterable[Finding]) -> Iterator[str]:
    """The findings by kind, of each kind only the first: the details have all."""
    for kind, heading in _HEADINGS.items():
        of_kind = [finding for finding in findings if finding.kind is kind]
        if of_kind:
            yield f"{len(of_kind)} {heading}:"
        for finding in of_kind[:_MOST_LINES]:
            mark = "repaired" if finding.repaired else "left as it is"
            yield f"  {finding.where}  {finding.message} ({mark})"
        if len(of_kind) > _MOST_LINES:
            yield f"  and {len(of_kind) - _MOST_LINES} more"


def _advice(found: Verification, repaired: bool) -> Iterator[str]:
    """What comes next, and what only a person can do."""
    left = [finding for finding in found.findings if not finding.repaired]
    if not repaired and any(finding.kind in (Kind.DAMAGED, Kind.LOST, Kind.LITTER, Kind.VIEW) for finding in left):
        yield "To repair what needs no decision: python -m fvhydra op=verify op.repair=true"
    if paths := sorted({path for finding in found.harm for path in finding.paths}):
        yield f"References that cannot be had now: {', '.join(paths)}"
        yield "  Make them anew with op=reseed_ssim, or put earlier ones back with op=restore; both go on without them."
    if any(finding.kind in (Kind.DAMAGED, Kind.LOST) and not finding.paths for finding in found.harm):
        yield "What only earlier revisions have can be put back by a person alone, from a backup of the store."
    if any(finding.kind is Kind.HISTORY for finding in found.harm):
        yield "Only a person can put a commit back, from a backup of the store; until then nothing is committed to it."
