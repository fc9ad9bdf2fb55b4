"""``op=seed_ssim``: make references that do not exist yet."""

from __future__ import annotations

import getpass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fvhydra.config.op import SeedSsimConfig
from fvhydra.core import files
from fvhydra.core.context import Context
from fvhydra.core.errors import Exists
from fvhydra.core.result import CaseResult, RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.media import latent
from fvhydra.ops.base import Op, open_store
from fvhydra.ops.cases import cases, same_cases
from fvhydra.ops.generation import Generated, clip_facts, generate, record_cases
from fvhydra.ops.references import References, write_sidecar
from fvhydra.review import change
from fvhydra.review.criteria import review_latent, review_pixels


class SeedSsim(Op):
    """Generate, review what can be reviewed automatically, and prepare a change that adds the references."""

    config: SeedSsimConfig

    def preflight(self, context: Context) -> None:
        """Refuse when the store cannot be written, or holds any of the references already."""
        open_store(context.config.store).check_writable()
        with TemporaryDirectory() as scratch:  # a refusal leaves no run folder
            self._free_paths(context, Path(scratch))

    def run(self, context: Context) -> RunResult:
        """Leave the artifacts with their sidecars, and ``change.json``."""
        wanted = cases(context.config)
        references, paths = self._free_paths(context, context.run.path / "references")
        record_cases(context, wanted)
        results, added = [], []
        for made in generate(context, wanted, paths):
            sidecar = write_sidecar(made)
            results.append(_reviewed(context, made, paths[made.case.index]))
            for local in (made.artifact, sidecar):
                path = local.relative_to(context.run.path / "artifacts").as_posix()
                added.append(change.ChangeFile(path, context.run.relative(local), files.sha256_file(local)))
        failed = {item.name for result in results for item in result.criteria if not item.passed}
        config = context.config
        prepared = change.Change(
            kind="seed",
            title=f"Seed {config.model.model_id} on {config.gpu.folder} ({config.tier.name}, {config.backend.folder})",
            reason=self.config.reason,
            store=references.store.location,
            parent=references.revision,
            changes=added,
            phrases=["upload"],
            blocked_by=sorted(failed - set(self.config.accept)),
            provenance={"who": getpass.getuser(), "environment": context.run.manifest["environment"]},
        )
        change.prepare(context.run, prepared)
        return RunResult(
            op=self.config.name,
            model=config.model.name,
            verdict=Verdict.DONE,
            message=f"{len(results)} reference(s) prepared for {references.store.location}.",
            cases=results,
            details={"change": "prepared"},
        )

    def _free_paths(self, context: Context, scratch: Path) -> tuple[References, dict[int, str]]:
        wanted = cases(context.config)
        store = open_store(context.config.store)
        references = References(store, wanted[0], scratch)
        paths = {case.index: references.free_path(case) for case in wanted}
        if taken := sorted(set(paths.values()) & set(references.files)):
            raise Exists(
                taken,
                "Seeding never replaces a reference; the deliberate way is "
                f"`python -m fvhydra op=reseed_ssim {same_cases(context)} op.reason='...'`.",
            )
        return references, paths


def _reviewed(context: Context, made: Generated, path: str) -> CaseResult:
    numerics: dict[str, Any]
    if made.media.frames is None:
        criteria, numerics = review_latent(latent.load(made.artifact), made.case)
    else:
        criteria, numerics = review_pixels(made.media.frames, made.case), clip_facts(made)
    return CaseResult(
        index=made.case.index,
        prompt=made.case.prompt,
        seed=made.case.seed,
        fingerprint=made.case.fingerprint,
        verdict=Verdict.DONE,
        message="to be added",
        kind=made.case.model.artifact,
        artifact=context.run.relative(made.artifact),
        store_path=path,
        criteria=criteria,
        numerics=numerics,
        seconds=made.media.seconds,
    )
