# SPDX-License-Identifier: Apache-2.0
"""``op=promote``: move reviewed drafts into place."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from fvhydra.config.op import PromoteConfig
from fvhydra.core import files
from fvhydra.core.artifacts import LatentNumerics
from fvhydra.core.errors import Exists, UsageError
from fvhydra.core.result import CaseResult, RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.media import latent
from fvhydra.ops.base import Op
from fvhydra.ops.cases import same_cases
from fvhydra.ops.context import Context
from fvhydra.ops.proposal import prepare_change
from fvhydra.ops.references import References
from fvhydra.review.change import ChangeCopy
from fvhydra.stores.layout import promoted_path


class Promote(Op):
    """Every draft of the chosen model, tier, gpu and backend becomes a reference: server-side copies, one commit."""

    config: PromoteConfig
    change_kinds = ("promote",)

    def preflight(self, context: Context) -> None:
        """Refuse when there is no draft, when a reference is in its place, and when the store cannot be written."""
        context.store.check_writable()
        with TemporaryDirectory() as scratch:
            self._drafts(context, Path(scratch))

    def run(self, context: Context) -> RunResult:
        """Fetch the drafts for the review page and leave ``change.json``."""
        drafts = self._drafts(context, context.run.path / "references")
        store = drafts.store
        fetched = store.fetch(drafts.files, context.run.path / "artifacts", drafts.revision)
        media = [path for path in drafts.files if not path.endswith(".json")]
        results = [_shown(context, index, path, fetched[path], drafts) for index, path in enumerate(media)]
        copies = [ChangeCopy(promoted_path(path), path) for path in drafts.files]
        return prepare_change(
            context,
            drafts,
            results,
            "promote",
            "Promote",
            changes=[],
            copies=copies,
            deletes=list(drafts.files),
        )

    def _drafts(self, context: Context, scratch: Path) -> References:
        [case, *_] = context.cases
        store = context.store
        drafts = References(store, case, scratch, drafts=True)
        if not drafts.files:
            raise UsageError(
                f"{store.location} has no drafts of {context.config.model.model_id} in {drafts.folders[0]}.",
                f"Make some: python -m fvhydra op=seed_ssim op.draft=true {same_cases(context)}",
            )
        present = store.files("", drafts.revision)
        if taken := [promoted_path(path) for path in drafts.files if promoted_path(path) in present]:
            raise Exists(taken, "Promoting never replaces a reference; op=reseed_ssim is the deliberate way.")
        return drafts


def _shown(context: Context, index: int, path: str, local: Path, drafts: References) -> CaseResult:
    sidecar = drafts.sidecar(path) or {}
    is_latent = path.endswith(".pt")
    return CaseResult(
        index=index,
        prompt=sidecar.get("prompt", local.stem),
        seed=sidecar.get("seed"),
        fingerprint=sidecar.get("fingerprint", files.sha256_file(local)),
        verdict=Verdict.DONE,
        planned="to be promoted",
        kind="latent" if is_latent else "pixel",
        artifact=context.run.relative(local),
        store_path=promoted_path(path),
        numerics=LatentNumerics(generated=latent.numerics(latent.load_bundle(local))) if is_latent else None,
    )
