# SPDX-License-Identifier: Apache-2.0
"""``op=check_ssim``: regenerate and compare with the references."""

from __future__ import annotations

import dataclasses
from typing import Any

from fvhydra.config.op import CheckSsimConfig
from fvhydra.core.case import Case
from fvhydra.core.differences import telling
from fvhydra.core.errors import Corrupt, FvhydraError
from fvhydra.core.filesystem import check_names
from fvhydra.core.result import CaseResult, ChangeStatus, NextCommand, RunResult
from fvhydra.core.verdict import Verdict, worst
from fvhydra.engines.choice import check_engine, engine_environment
from fvhydra.ops.base import Op
from fvhydra.ops.cases import same_cases
from fvhydra.ops.comparison import compare_with_reference, shown_metrics
from fvhydra.ops.context import Context
from fvhydra.ops.generation import Generated, finish_cases, generate, record_cases
from fvhydra.ops.headline import headline
from fvhydra.ops.proposal import files_of, prepare_change
from fvhydra.ops.references import References, environment_difference, recipe_difference, write_sidecar
from fvhydra.review.change import ChangeFile
from fvhydra.stores.layout import draft_path, reference_path


class CheckSsim(Op):
    """Compare what the engine makes now with what was approved.

    Whether a reference exists and was made by the same recipe is known before anything is generated; cases that cannot
    be compared cost no GPU time.
    """

    config: CheckSsimConfig
    resumable = True
    change_kinds = ("draft",)

    def preflight(self, context: Context) -> None:
        """Resolve the prompts; whether the store can be read shows at once, and asking twice would cost a request."""
        check_engine(context.config, here=context.config.launcher.same_environment)
        check_names(context.run.path / "artifacts", map(reference_path, context.cases))
        shown_metrics(context.config.metrics)
        store = context.store
        if self.config.bootstrap:
            store.check_writable()

    def plan(self, context: Context) -> RunResult:
        """Which cases have a reference that they can be compared with."""
        wanted = context.cases
        references = References(context.store, wanted[0], context.run.path)
        results = [_planned(case, references.find(case), references) for case in wanted]
        found = sum(result.verdict is Verdict.DONE for result in results)
        return RunResult(
            op=self.config.name,
            model=context.config.model.name,
            verdict=worst(result.verdict for result in results),
            message=f"{found} of {len(results)} reference(s) found.",
            cases=results,
        )

    def run(self, context: Context) -> RunResult:
        """Leave artifacts, the references they were compared with, and the numbers beside them."""
        wanted = context.cases
        record_cases(context, wanted)
        context.progress.stage("look up", msg="references")
        references = References(context.store, wanted[0], context.run.path / "references")
        here = engine_environment(context.config.engine)
        results: dict[int, CaseResult] = {}
        comparable: dict[int, str] = {}
        for case in wanted:
            path = references.find(case)
            result = _incomparable(case, path, references)
            if result is not None:
                results[case.index] = result
            elif path is not None:
                comparable[case.index] = path
                _announce_differences(context, case, references.sidecar(path), here)
        to_run = [case for case in wanted if case.index in comparable]
        found = finish_cases(
            context,
            to_run,
            {case.index: reference_path(case) for case in to_run},
            lambda context, made: _compared(context, made, references, comparable[made.case.index]),
            {index: references.digest_of(path) for index, path in comparable.items()},
            overlap=not self.config.fail_fast,
        )
        for result in found:
            results[result.index] = result
            if self.config.fail_fast and result.verdict is not Verdict.PASS:
                break
        ordered = [results[index] for index in sorted(results)]
        verdict = worst(result.verdict for result in ordered)
        notes, following = [], []
        if any(result.verdict is Verdict.NO_REFERENCE for result in ordered):
            seed = f"python -m fvhydra op=seed_ssim {same_cases(context)}"
            following.append(NextCommand("To make the first references", seed))
        if unknown := sum(not result.recipe_known for result in ordered):
            notes.append(f"Recipe unknown for {unknown} reference(s): they have no sidecar.")
        drafted = self._draft(context, wanted, references, results) if self.config.bootstrap else None
        return RunResult(
            op=self.config.name,
            model=context.config.model.name,
            verdict=verdict,
            message=headline(ordered),
            cases=ordered,
            change=drafted,
            notes=notes,
            next_commands=following,
            details={"store": references.store.location, "revision": references.revision},
        )

    def _draft(
        self, context: Context, wanted: list[Case], references: References, results: dict[int, CaseResult]
    ) -> ChangeStatus | None:
        """Prepare drafts for the cases without a reference; they are uploaded without asking, and gate nothing."""
        missing = [
            case for case in wanted if case.index in results and results[case.index].verdict is Verdict.NO_REFERENCE
        ]
        if not missing:
            return None
        drafts = References(references.store, wanted[0], references.folder, drafts=True)
        paths = {case.index: draft_path(reference_path(case)) for case in missing}
        # one that is there stays, until somebody promotes it or takes it away
        missing = [case for case in missing if paths[case.index] not in drafts.digests]
        if not missing:
            return None
        added: list[ChangeFile] = []
        for made in generate(context, missing, paths):
            path = paths[made.case.index]
            results[made.case.index].artifact = context.run.relative(made.artifact)
            write_sidecar(made)
            added += files_of(context, context.run.relative(made.artifact), path)
        return prepare_change(context, drafts, [], "draft", "Draft", changes=added).change


def _planned(case: Case, path: str | None, references: References) -> CaseResult:
    found = CaseResult(case.index, case.prompt, case.seed, case.fingerprint, Verdict.DONE, "reference found")
    return _incomparable(case, path, references) or dataclasses.replace(found, store_path=path)


def _incomparable(case: Case, path: str | None, references: References) -> CaseResult | None:
    empty = CaseResult(
        index=case.index,
        prompt=case.prompt,
        seed=case.seed,
        fingerprint=case.fingerprint,
        verdict=Verdict.NO_REFERENCE,
        kind=case.model.artifact,
        store_path=path,
    )
    if path is None:
        message = f"There is no reference in {references.store.location}."
        return dataclasses.replace(empty, message=message, store_path=reference_path(case))
    try:
        differences = recipe_difference(references.sidecar(path), case)
    except Corrupt as error:
        return dataclasses.replace(empty, verdict=Verdict.INFRASTRUCTURE, message=f"{error.message} {error.hint}")
    if not differences:
        return None
    keys = ", ".join(f"{item.key} ({item.reference!r} there, {item.run!r} here)" for item in differences[:3])
    return dataclasses.replace(
        empty,
        verdict=Verdict.RECIPE_MISMATCH,
        message=f"The reference was made by another recipe: {keys}{' and more' if len(differences) > 3 else ''}.",
        recipe_difference=differences,
    )


def _announce_differences(context: Context, case: Case, sidecar: dict[str, Any] | None, here: dict[str, str]) -> None:
    """Say how the reference was made otherwise, as far as it is known before an engine is loaded: before any number."""
    for item in telling(environment_difference(sidecar, here)):
        if item.key in here or item.key.startswith("launcher."):
            context.progress.stage("look up", case.index, f"{item.key}: {item.reference} there, {item.run} here")


def _compared(context: Context, made: Generated, references: References, path: str) -> CaseResult:
    """The comparison, or why this one case could not be compared: a damaged reference costs only its own case."""
    try:
        return compare_with_reference(context, made, references, path)
    except FvhydraError as error:
        return CaseResult(
            index=made.case.index,
            prompt=made.case.prompt,
            seed=made.case.seed,
            fingerprint=made.case.fingerprint,
            verdict=Verdict.INFRASTRUCTURE,
            message=f"{error.message} {error.hint}".strip(),
            kind=made.case.model.artifact,
            artifact=context.run.relative(made.artifact),
            store_path=path,
        )
