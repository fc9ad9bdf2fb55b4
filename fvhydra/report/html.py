# SPDX-License-Identifier: Apache-2.0
"""The HTML page: one file without a network, a framework or a server, on top of the media of the run folder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fvhydra.core.artifacts import ClipFacts, LatentNumerics, PixelComparison, PixelThresholds
from fvhydra.core.errors import MediaError
from fvhydra.core.result import CaseResult, Criterion, RunResult, SweepJob
from fvhydra.core.untrusted import read_json
from fvhydra.core.verdict import worst
from fvhydra.report import page, wording
from fvhydra.report.chain import chain_view
from fvhydra.report.clips import Player
from fvhydra.report.curve import Curve, Motion, curve, motion
from fvhydra.report.differences import shared
from fvhydra.report.heatmap import HeatMap, read_heatmap
from fvhydra.report.measures import MeasuredValue, headline, measured_values, worst_first
from fvhydra.report.media import Media, case_media, inside, relative_url

_NUMERICS = (
    "format_version", "shape", "dtype", "dtype_original", "slice_kind", "slice_spec",
    "mean", "std", "min", "max", "nan_count", "inf_count",
)  # fmt: skip


@dataclass(frozen=True)
class CaseView:
    """What the template needs of a case, worked out."""

    name: str
    case: CaseResult
    headline: str
    measures: list[MeasuredValue]
    difference: str
    media: list[Media]
    screens: list[Media]
    """Those that can be shown, or that should be there and are not."""
    player: Player | None
    curve: Curve | None
    motion: Motion | None
    numerics: list[tuple[str, str | None, str | None, bool]]
    """(name, of the reference, of the artifact, whether they should be equal and are not)."""
    criteria: list[Criterion]
    """Those that the measures do not show already."""
    method: str
    """How the clips were compared."""
    heatmap: HeatMap | None
    heatmap_problem: str
    axes: str
    """What the pictures of the heat map show."""


def render_html(run_dir: Path, result: RunResult, manifest: dict[str, Any]) -> str:
    """The page of a run.

    Args:
        run_dir: The run folder; only read, for difference maps and to see which files are there.
        result: What the run found out.
        manifest: Its ``manifest.json``; every key is optional.
    """
    return page.render(
        "run.html",
        **page.masthead(result, manifest),
        environment_difference=shared(result.cases, "environment_difference"),
        recipe_difference=shared(result.cases, "recipe_difference"),
        compared=any(case.comparison for case in result.cases),
        counts=wording.tally(case.verdict for case in result.cases),
        chain=chain_view(run_dir, result.story) if result.story else None,
        labels=result.sides,
        views=[_view(run_dir, case, result.sides) for case in worst_first(result.cases)],
    )


def render_sweep_html(sweep_dir: Path, jobs: Sequence[SweepJob]) -> str:
    """The page of a sweep, with the jobs in the order given; only reports that are there are linked."""
    links = [(job, f"{job.folder}/report/index.html") for job in jobs]
    manifests = [_manifest(sweep_dir, job) for job in jobs]
    return page.render(
        "sweep.html",
        title=wording.sweep_name([job.result for job in jobs]),
        command=next((page.command(manifest) for manifest in manifests if manifest.get("command")), ""),
        created=min((manifest["created"] for manifest in manifests if manifest.get("created")), default=None),
        verdict=worst(job.result.verdict for job in jobs),
        jobs=[(job, relative_url(report) if (sweep_dir / report).is_file() else "") for job, report in links],
        counts=wording.tally(job.result.verdict for job in jobs),
    )


def _manifest(sweep_dir: Path, job: SweepJob) -> dict[str, Any]:
    """A job's manifest; empty for a job that was refused before it had a folder."""
    folder = inside(sweep_dir, job.folder)
    path = folder and folder / "manifest.json"
    return read_json(path) if path and path.is_file() else {}


def _view(run_dir: Path, case: CaseResult, labels: tuple[str, str]) -> CaseView:
    media = case_media(run_dir, case, labels)
    found = case.comparison
    pixel = found if isinstance(found, PixelComparison) else None
    player = _player(case, media)
    heatmap, problem = _heatmap(run_dir, case)
    gates = measured_values(case)
    told = {"comparable"} if found and found.difference else {word for gate in gates for word in (gate.key, gate.name)}
    return CaseView(
        name=f"case {case.index}",
        case=case,
        headline=headline(case),
        measures=gates,
        difference=(found.difference if found else None) or "",
        media=media,
        screens=[item for item in media if item.kind != "file" or not item.present],
        player=player,
        curve=_curve(player, pixel.thresholds if pixel else None) if player else None,
        motion=motion([pixel.motion.reference, pixel.motion.generated]) if pixel and pixel.motion else None,
        numerics=_numerics(case.numerics, case.clip),
        criteria=[criterion for criterion in case.criteria if criterion.name not in told],
        method=_method(pixel) if pixel else "",
        heatmap=heatmap,
        heatmap_problem=problem,
        axes=_axes(heatmap, case) if heatmap else "",
    )


def _player(case: CaseResult, media: Sequence[Media]) -> Player | None:
    """None when there is no clip, or when its frames are not known: then the page leaves it to the browser."""
    found = case.comparison if isinstance(case.comparison, PixelComparison) else None
    fps, frames = (found.fps, found.frames) if found else (case.clip.fps, case.clip.frames) if case.clip else (0, 0)
    videos = [item for item in media if item.kind == "video" and item.present]
    if not videos or not fps or not frames or (found and found.difference):
        return None
    values = list(found.per_frame) if found else []
    if len(values) != frames or not all(math.isfinite(value) for value in values):
        values = []
    worst = min(range(len(values)), key=values.__getitem__) if values else 0
    return Player(float(fps), int(frames), worst, len(videos) == 2, values)


def _curve(player: Player, thresholds: PixelThresholds | None) -> Curve | None:
    if not player.values:
        return None
    gates = (("mean", thresholds.mean_ms_ssim), ("frame", thresholds.min_ms_ssim)) if thresholds else ()
    limits = [(f"{label} ≥ {limit:g}", float(limit)) for label, limit in gates if limit is not None]
    return curve([value for value in player.values if value is not None], player.start, limits)


def _numerics(found: LatentNumerics | None, clip: ClipFacts | None) -> list[tuple[str, str | None, str | None, bool]]:
    """Rows of the facts of a clip, or of the numerics of one latent or two."""
    sides = (found.reference, found.generated) if found else (None, clip)
    tables = [vars(side) if side else {} for side in sides]
    names = dict.fromkeys([*_NUMERICS, *tables[1], *tables[0]])
    rows = []
    for name in (name for name in names if name in tables[0] or name in tables[1]):
        before, after = (wording.value_text(table[name]) if name in table else None for table in tables)
        # statistics may drift within the gate; what describes the format may not
        fixed = not any(isinstance(table.get(name), float) for table in tables)
        rows.append((name.replace("_", " "), before, after, fixed and None not in (before, after) and before != after))
    return rows


def _heatmap(run_dir: Path, case: CaseResult) -> tuple[HeatMap | None, str]:
    if not case.difference_map:
        return None, ""
    path = inside(run_dir, case.difference_map)
    if path is None or not path.is_file():
        return None, f"{case.difference_map} is not in the run folder."
    try:
        return read_heatmap(path), ""
    except MediaError as error:
        return None, error.message


def _method(found: PixelComparison) -> str:
    if not found.levels:
        return ""
    size = f"{found.frames} frames of {found.height} × {found.width} at {found.fps:g} fps"
    decoder = f", decoded by {found.decoder}" if found.decoder else ""
    return f"MS-SSIM over {found.levels} scales, {size}{decoder}"


def _axes(heat: HeatMap, case: CaseResult) -> str:
    found = case.numerics.generated or case.numerics.reference if case.numerics else None
    shape = found.shape if found else []
    if len(shape) == 3:  # [B, C, T], audio
        return f"of {heat.height} channels, over {heat.width} steps of time from left to right"
    return f"averaged over the channels, {len(heat.tiles)} latent frames of {heat.height} × {heat.width}, one scale"
