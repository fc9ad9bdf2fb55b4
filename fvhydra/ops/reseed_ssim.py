# SPDX-License-Identifier: Apache-2.0
"""``op=reseed_ssim``: replace references on purpose."""

from __future__ import annotations

import contextlib
import shlex
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from fvhydra.config.op import ReseedSsimConfig
from fvhydra.core import files
from fvhydra.core.artifacts import Motion, PixelComparison
from fvhydra.core.environment import now
from fvhydra.core.errors import Corrupt, FvhydraError, UsageError
from fvhydra.core.filesystem import check_names
from fvhydra.core.result import CaseResult, RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.engines.choice import check_engine
from fvhydra.ops.base import Op
from fvhydra.ops.cases import same_cases, same_words
from fvhydra.ops.comparison import compare_with_reference, shown_metrics
from fvhydra.ops.context import Context
from fvhydra.ops.generation import Generated, finish_cases, record_cases
from fvhydra.ops.healing import heal
from fvhydra.ops.originals import Originals, fetch_originals
from fvhydra.ops.proposal import files_of, prepare_change, review, reviewed
from fvhydra.ops.references import References, recipe_difference, write_sidecar
from fvhydra.review.kinds import KINDS
from fvhydra.similarity.pixel import frame_changes
from fvhydra.stores.layout import sidecar_path

STAYS = "stays as it is"
"""What is planned for a reference that did not move."""

_SAME = 1e-6
"""Largest distance from equality, of any number, at which a reference has not moved."""


class ReseedSsim(Op):
    """Back up, regenerate *with* the comparison against what is there, and prepare a change that replaces it."""

    config: ReseedSsimConfig
    resumable = True
    change_kinds = ("reseed",)
    early_confirmation = KINDS["reseed"].phrases[0]

    def preflight(self, context: Context) -> None:
        """Refuse where a reference is missing, and when the store cannot be written."""
        check_engine(context.config, here=context.config.launcher.same_environment)
        shown_metrics(context.config.metrics)
        context.store.check_writable()
        with TemporaryDirectory() as scratch:
            _, paths = self._current(context, Path(scratch))
        check_names(context.run.path / "artifacts", paths.values())

    def run(self, context: Context) -> RunResult:
        """Leave ``backup/``, the new artifacts, the comparison, ``change.json`` and ``pull_request.md``."""
        wanted = context.cases
        references, paths = self._current(context, context.run.path / "references")
        record_cases(context, wanted)
        context.progress.stage("back up", msg=f"{len(paths)} reference(s)")
        originals = self._back_up(context, references, list(paths.values()))

        def conclude(context: Context, made: Generated) -> CaseResult:
            write_sidecar(made)
            return _before_and_after(context, made, references, paths[made.case.index])

        basis = {index: references.digest_of(path) for index, path in paths.items()}
        found = finish_cases(context, wanted, paths, conclude, basis)
        results = sorted(found, key=lambda result: result.index)
        moved = [result for result in results if result.planned != STAYS]
        if not moved:
            return self._nothing_moved(context, results)
        changes = [
            replace(item, replaces=references.digests.get(item.path))
            for result in moved
            if result.artifact
            for item in files_of(context, result.artifact, paths[result.index])
        ]
        changes = heal(context, changes, originals, references.entries)
        checklist = _checklist(context, self.config.reason, results, originals)
        files.write_text(context.run.path / "pull_request.md", checklist)
        parts = {"changes": changes, "follow_up": checklist}
        prepared = prepare_change(context, references, results, "reseed", "Re-seed", originals, **parts)
        prepared.sides = ("before", "after")
        if len(moved) < len(results):
            prepared.notes.append(f"{_count(results)} did not move, within {_SAME:g}; they stay as they are.")
        return prepared

    def _nothing_moved(self, context: Context, results: list[CaseResult]) -> RunResult:
        """No change is prepared: references would only change their dates."""
        return RunResult(
            op=self.config.name,
            model=context.config.model.name,
            verdict=Verdict.DONE,
            message="Nothing moved.",
            cases=results,
            notes=[f"Nothing moved: {_count(results)} within {_SAME:g}. There is nothing to publish."],
            sides=("before", "after"),
        )

    def _current(self, context: Context, scratch: Path) -> tuple[References, dict[int, str]]:
        wanted = context.cases
        references = References(context.store, wanted[0], scratch)
        found = {case.index: references.find(case) for case in wanted}
        paths = {index: path for index, path in found.items() if path is not None}
        if len(paths) < len(found):
            missing = [index for index in found if index not in paths]
            raise UsageError(
                f"{references.store.location} has no reference for prompt(s) {missing}; there is nothing to replace.",
                f"Make first references: python -m fvhydra op=seed_ssim {same_cases(context)}",
            )
        return references, paths

    def _back_up(self, context: Context, references: References, paths: list[str]) -> Originals:
        """Copies of everything that will be replaced, with a note of what they are, and of what is not among them."""
        backup = context.run.path / "backup"
        names = [name for path in paths for name in (path, sidecar_path(path))]
        originals = fetch_originals(references.store, references.digests, names, references.folder, references.revision)
        for name, file in originals.files.items():
            files.copy(file, backup / name)
        provenance = {
            "what": "references as they were before a re-seed",
            "model_id": context.config.model.model_id,
            "store": references.store.location,
            "revision": references.revision,
            "git_commit": context.run.manifest["environment"].get("git_commit", "unknown"),
            "utc": now(),
            "reason": self.config.reason,
            "files": sorted(paths),
            "unverified": originals.reasons,
        }
        files.write_json(backup / "PROVENANCE.json", provenance)
        return originals


def _before_and_after(context: Context, made: Generated, references: References, path: str) -> CaseResult:
    """The comparison, which informs and does not judge; an old reference that cannot be read may be replaced too."""
    try:
        result = compare_with_reference(context, made, references, path)
        result.message = "old against new: " + "; ".join(f"{item.name} {item.given}" for item in result.criteria)
    except FvhydraError as error:
        result = reviewed(context, made, path)
        result.message = f"the old reference cannot be compared: {error.message}"
    if isinstance(result.comparison, PixelComparison) and result.reference:
        moves = Motion(frame_changes(context.run.inside(result.reference)), frame_changes(made.artifact))
        result.comparison = replace(result.comparison, motion=moves)
    result.verdict = Verdict.DONE
    result.planned = "to be replaced"
    with contextlib.suppress(Corrupt):  # a broken sidecar is one more reason to replace it
        result.recipe_difference = recipe_difference(references.sidecar(path), made.case)
    review(made, result)
    if _stays(made, result):
        result.planned = STAYS
    return result


def _stays(made: Generated, result: CaseResult) -> bool:
    """Whether a new reference would say what the old one says already, numbers and recipe."""
    measured = result.comparison
    if measured is None or measured.difference or result.recipe_difference or not result.recipe_known:
        return False
    if isinstance(measured, PixelComparison):
        # no number tells of sound
        return made.media.audio is None and measured.min_ssim is not None and measured.min_ssim >= 1 - _SAME
    distances = (measured.slice_cosine_distance, measured.full_cosine_distance, measured.max_abs_diff)
    return all(distance is not None and abs(distance) <= _SAME for distance in distances)


def _count(results: list[CaseResult]) -> str:
    return f"{sum(result.planned == STAYS for result in results)} of {len(results)}"


def _checklist(context: Context, reason: str, results: list[CaseResult], originals: Originals) -> str:
    """What a reviewer of the pull request wants to know, as Markdown."""
    environment = context.run.manifest["environment"]
    dirty = ", with uncommitted changes" if environment.get("git_dirty") == "yes" else ""
    restore = ["op=restore", f"run={context.run.path}", *same_words(context)]
    numbers = [f"| {result.index} | {result.seed} | {result.message} |" for result in results]
    return "\n".join(
        [
            f"### References of {context.config.model.model_id} re-seeded",
            "",
            f"- [ ] Reason: {reason}",
            f"- [ ] Source commit: {environment.get('git_commit', 'unknown')}{dirty}",
            f"- [ ] Command: `{shlex.join(context.command)}` on {environment.get('gpu', environment['cpu'])}",
            "- [ ] Store revision: {revision}",
            f"- [ ] Backup: `{context.run.path / 'backup'}`",
            *(f"- [ ] {note}" for note in originals.notes),
            f"- [ ] To undo: `python -m fvhydra {shlex.join(restore)}`",
            "",
            "| case | seed | old against new |",
            "| --- | --- | --- |",
            *numbers,
            "",
        ]
    )
