# SPDX-License-Identifier: Apache-2.0
"""``op=seed_ssim``: make references that do not exist yet."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from fvhydra.config.op import SeedSsimConfig
from fvhydra.core.errors import Exists
from fvhydra.core.filesystem import check_names
from fvhydra.core.result import CaseResult, RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.engines.choice import check_engine
from fvhydra.ops.base import Op
from fvhydra.ops.cases import same_cases
from fvhydra.ops.context import Context
from fvhydra.ops.generation import Generated, finish_cases, record_cases
from fvhydra.ops.proposal import files_of, prepare_change, reviewed
from fvhydra.ops.references import References, write_sidecar
from fvhydra.review.change import published_before
from fvhydra.stores.layout import draft_path, sidecar_path


class SeedSsim(Op):
    """Generate, review what can be reviewed automatically, and prepare a change that adds the references."""

    config: SeedSsimConfig
    resumable = True
    change_kinds = ("seed",)

    def preflight(self, context: Context) -> None:
        """Refuse when the store cannot be written, or holds any of the references already."""
        check_engine(context.config, here=context.config.launcher.same_environment)
        context.store.check_writable()
        with TemporaryDirectory() as scratch:  # a refusal leaves no run folder
            _, paths, taken = self._look(context, Path(scratch))
        check_names(context.run.path / "artifacts", paths.values())
        if taken and self._published(context, paths) is None:
            raise Exists(
                taken,
                "Seeding never replaces a reference; the deliberate way is "
                f"`python -m fvhydra op=reseed_ssim {same_cases(context)} op.reason='...'`.",
            )

    def run(self, context: Context) -> RunResult:
        """Leave the artifacts with their sidecars, and ``change.json``."""
        wanted = context.cases
        references, paths, taken = self._look(context, context.run.path / "references")
        if taken and (already := self._published(context, paths)):
            return already
        record_cases(context, wanted)

        def conclude(context: Context, made: Generated) -> CaseResult:
            write_sidecar(made)
            return reviewed(context, made, paths[made.case.index])

        found = finish_cases(context, wanted, paths, conclude, paths)
        results = sorted(found, key=lambda result: result.index)
        added = [
            item
            for result in results
            if result.artifact
            for item in files_of(context, result.artifact, paths[result.index])
        ]
        verb = "Draft" if self.config.draft else "Seed"
        prepared = prepare_change(context, references, results, "seed", verb, changes=added)
        prepared.sides = ("reference", "new")
        return prepared

    def _look(self, context: Context, scratch: Path) -> tuple[References, dict[int, str], set[str]]:
        """The references there are, where those of the cases belong, and which of them exist."""
        wanted = context.cases
        references = References(context.store, wanted[0], scratch)
        paths = {case.index: references.free_path(case) for case in wanted}
        # a reference that today's readers would find counts too, whatever its name
        found = {references.find(case) for case in wanted if case.default_seed}
        taken = (set(paths.values()) & set(references.files)) | {path for path in found if path is not None}
        if self.config.draft:
            paths = {index: draft_path(path) for index, path in paths.items()}
            taken |= set(paths.values()) & set(References(references.store, wanted[0], scratch, drafts=True).files)
        return references, paths, taken

    def _published(self, context: Context, paths: dict[int, str]) -> RunResult | None:
        """The answer when an earlier command published exactly this, and was killed before it could say so."""
        touched = [name for path in paths.values() for name in (path, sidecar_path(path))]
        found = published_before(context.run.path.parent, context.store, touched)
        if found is None:
            return None
        context.store.refresh()
        folder, revision = found
        return RunResult(
            op=self.config.name,
            model=context.config.model.name,
            verdict=Verdict.DONE,
            message="Published already.",
            notes=[
                f"Exactly this change is published already, as revision {revision}; nothing was generated. "
                f"The command that made it was killed before it could say so: {folder}"
            ],
        )
