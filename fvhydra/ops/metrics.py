# SPDX-License-Identifier: Apache-2.0
"""``op=metrics``: which metrics there are, what they need, whether they run here."""

from __future__ import annotations

import dataclasses
import math
import shlex
from collections.abc import Iterable, Sequence

from fvhydra.config.op import MetricsOpConfig
from fvhydra.core.data_only import refuse_file
from fvhydra.core.errors import UsageError
from fvhydra.core.project import config_folders, project_settings
from fvhydra.core.result import RunResult
from fvhydra.core.untrusted import read_yaml
from fvhydra.core.verdict import Verdict
from fvhydra.metrics import catalogue, download
from fvhydra.metrics.base import Assets
from fvhydra.metrics.choices import Offer, offered, offers
from fvhydra.metrics.planned import PLANNED
from fvhydra.metrics.spec import Asset, Input, Spec
from fvhydra.ops.base import Op
from fvhydra.ops.context import Context
from fvhydra.ops.eval import assets_of

_ARROWS = {"higher": "higher is better", "lower": "lower is better", "none": "describes only"}


class Metrics(Op):
    """Reads descriptions only: no network is loaded and nothing is fetched."""

    config: MetricsOpConfig
    writes_run_folder = False
    uses_model = False

    def preflight(self, context: Context) -> None:
        """Refuse a metric that is not there, or whose class is none."""
        among = _offers(context)
        if context.config.metric is not None:
            offered(context.config.metric, among).spec()

    def run(self, context: Context) -> RunResult:
        """One line a metric, or everything about one."""
        assets, among = assets_of(context.config), _offers(context)
        if context.config.metric is not None:
            offer = offered(context.config.metric, among)
            spec = offer.spec()
            return self._said(spec.title, _explained(spec, assets, offer))
        rows, wrong = [], []
        for offer in among.values():
            try:
                rows.append(_row(offer.spec(), assets, offer))
            except UsageError as error:  # one class that cannot be imported hides no other metric
                wrong.append(error.message)
        planned = sum(not offer.target and offer.id in PLANNED for offer in among.values())
        return self._said(
            f"{len(rows) - planned} metrics, {planned} more are planned; metric=<id> explains one.",
            [*_columns(rows), *wrong],
        )

    def _said(self, message: str, lines: Sequence[str]) -> RunResult:
        return RunResult(op=self.config.name, verdict=Verdict.DONE, message=message, notes=list(lines))


def _offers(context: Context) -> dict[str, Offer]:
    added = config_folders(context.command, project_settings())
    for folder in added:
        for file in (folder.path / "metrics").glob("*.yaml") if folder.origin == "project" else ():
            refuse_file(file, "metrics", read_yaml(file))
    folders = [folder.path for folder in added]
    return context.prepared.own.once("offers", lambda: offers(folders, context.config.metrics.use))


def _row(spec: Spec, assets: Assets, offer: Offer) -> tuple[str, ...]:
    needs = ",".join(item.key for item in spec.inputs if item.required)
    loaded = spec.loads(spec.params())
    known = [asset.megabytes for asset in loaded if asset.megabytes is not None]
    weights = f"{sum(known)} MB" if known else "unknown" if loaded else "-"
    if any(asset.commercial is False for asset in loaded):
        weights += ", non-commercial"
    chosen = f"metrics={offer.word}" if offer.word else ""
    return spec.id, spec.kind, spec.direction, spec.unit, needs or "-", weights, _state(spec, assets), chosen


def _state(spec: Spec, assets: Assets) -> str:
    """Whether the metric can run here; if not, the reason."""
    if spec.planned:
        return "planned"
    missing = catalogue.missing_package(spec, spec.params()) or assets.missing(spec)
    return {"no_weights": "weights missing", "no_dependency": "package missing"}[missing.code] if missing else "ready"


def _explained(spec: Spec, assets: Assets, offer: Offer) -> list[str]:
    missing = None if spec.planned else catalogue.missing_package(spec, spec.params()) or assets.missing(spec)
    lines = [
        f"{spec.id}, version {spec.version}: one value for {'each sample' if spec.kind == 'sample' else 'all samples'}",
        f"direction: {_ARROWS[spec.direction]}; {_range(spec)}, unit {spec.unit}",
        f"over all samples: {spec.rule if spec.kind == 'sample' else 'its own value'}",
        f"source: {spec.source or 'not stated'}",
        f"comparable to: {', '.join(spec.comparable_to) or 'nothing that is published'}",
        *(f"needs {_input(item)}" if item.required else f"may use {_input(item)}" for item in spec.inputs),
        *(f"also gives {item.name} ({item.unit}), one a {item.per}" for item in spec.outputs),
        *_parameters(spec),
        *(f"weights {_weights(asset)}" for asset in spec.assets),
        *([f"sees: {', '.join(spec.sees)}"] if spec.sees else []),
        "state: " + (f"{_state(spec, assets)}: {missing.reason}" if missing else _state(spec, assets)),
    ]
    if not spec.planned:
        lines.append(f"to run it: {_command(spec, offer)}")
    return lines


def _range(spec: Spec) -> str:
    low, high = ("open" if edge is None else f"{edge:g}" for edge in (spec.low, spec.high))
    best = "infinite" if spec.ideal == math.inf else f"{spec.ideal:g}" if spec.ideal is not None else ""
    ideal = f", {best} for a clip that equals its reference" if best else ""
    return f"from {low} to {high}{ideal}"


def _input(item: Input) -> str:
    least = f" of {item.least_frames} frames or more" if item.least_frames > 1 else ""
    return f"{item.key} ({item.medium}){least}"


def _parameters(spec: Spec) -> list[str]:
    defaults, key = spec.params(), f"metrics.use.{spec.id}"
    return [
        f"{key}.{item.name}={getattr(defaults, item.name)}  {item.metadata.get('help', '')}".rstrip()
        for item in dataclasses.fields(spec.params)
    ]


def _weights(asset: Asset) -> str:
    return f"{download.terms(asset)}; local copy: metrics.assets.{asset.name}=<path>"


def _command(spec: Spec, offer: Offer) -> str:
    required = {item.key for item in spec.inputs if item.required}
    if required <= {"video", "audio"}:
        what = "videos=outputs/latest"
    elif required <= {"video", "audio", "reference", "reference_audio"}:
        what = "videos=gen/ references=ref/"
    else:
        what = "manifest=samples.jsonl"
    where = f" --config-dir {shlex.quote(str(offer.config_dir))}" if offer.config_dir else ""
    target = f"_target_: {offer.target}" if offer.target else ""
    chosen = f"metrics={offer.word}" if offer.word else f"'+metrics.use.{spec.id}={{{target}}}'"
    return f"fvhydra{where} op=eval {what} {chosen}"


def _columns(rows: Iterable[tuple[str, ...]]) -> list[str]:
    table = list(rows)
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
