# SPDX-License-Identifier: Apache-2.0
"""What seeding, re-seeding, promoting and restoring share: looking at new references, and preparing the change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fvhydra.config.root import Config
from fvhydra.core import files
from fvhydra.core.artifacts import LatentNumerics
from fvhydra.core.result import CaseResult, ChangeStatus, RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.media import latent
from fvhydra.ops.context import Context
from fvhydra.ops.generation import Generated, clip_facts
from fvhydra.ops.originals import Originals
from fvhydra.ops.references import References
from fvhydra.review import change
from fvhydra.review.criteria import review_latent, review_origin, review_pixels
from fvhydra.stores.layout import sidecar_path
from fvhydra.stores.verification import UNVERIFIED


def reviewed(context: Context, made: Generated, path: str) -> CaseResult:
    """A new reference for ``path``, with what can be said of it automatically."""
    result = CaseResult(
        index=made.case.index,
        prompt=made.case.prompt,
        seed=made.case.seed,
        fingerprint=made.case.fingerprint,
        verdict=Verdict.DONE,
        planned="to be added",
        kind=made.case.model.artifact,
        artifact=context.run.relative(made.artifact),
        store_path=path,
        seconds=made.media.seconds,
    )
    review(made, result)
    return result


def review(made: Generated, result: CaseResult) -> None:
    """Fill in the criteria and numerics of a new reference."""
    if made.media.frames is None:
        result.criteria, numerics = review_latent(latent.load_bundle(made.artifact), made.case)
        result.numerics = result.numerics or LatentNumerics(generated=numerics)
    else:
        result.criteria = review_pixels(made.media.frames, made.case)
        result.clip = clip_facts(made)
    result.criteria += review_origin(made.case, made.procedural)


def files_of(context: Context, artifact: str, path: str) -> list[change.ChangeFile]:
    """An artifact of the run and the sidecar beside it, as the files of a change to the reference at ``path``."""
    pairs = [(path, artifact), (sidecar_path(path), sidecar_path(artifact))]
    return [change.ChangeFile(where, local, files.sha256_file(context.run.inside(local))) for where, local in pairs]


def prepare_change(
    context: Context,
    references: References,
    results: Sequence[CaseResult],
    kind: str,
    verb: str,
    originals: Originals | None = None,
    **parts: Any,
) -> RunResult:
    """Write ``change.json`` and answer with a result that says so.

    Args:
        kind: The change's kind.
        verb: First word of the commit's title, for example ``Seed``.
        originals: What it replaces; what of that could not be verified is recorded.
        parts: Further fields of :class:`fvhydra.review.change.Change`.
    """
    config, op = context.config, context.config.op
    lost = originals.unverified if originals else {}
    failed = {item.name for result in results for item in result.criteria if not item.passed}
    prepared = change.Change(
        kind=kind,
        title=f"{verb} {scope(config)}",
        reason=getattr(op, "reason", ""),
        store=references.store.location,
        parent=references.revision,
        blocked_by=sorted(failed - set(getattr(op, "accept", []))),
        provenance={"environment": context.run.manifest["environment"]} | ({UNVERIFIED: lost} if lost else {}),
        **parts,
    )
    change.save_change(context.run, prepared)
    return RunResult(
        op=op.name,
        model=config.model.name,
        verdict=Verdict.DONE,
        message=f"{len(prepared.paths)} file(s) prepared for {references.store.location}.",
        cases=list(results),
        notes=[*removals(prepared), *(originals.notes if originals else [])],
        change=ChangeStatus(references.store.location, len(prepared.paths)),
    )


def removals(prepared: change.Change) -> list[str]:
    """The files that a change deletes, a line each."""
    moved = {item.source: item.path for item in prepared.copies}
    return [f"Moves {path} to {moved[path]}" if path in moved else f"Deletes {path}" for path in prepared.deletes]


def scope(config: Config) -> str:
    """What a change is about, for titles."""
    return f"{config.model.model_id} on {config.gpu.folder} ({config.tier.name}, {config.backend.folder})"
