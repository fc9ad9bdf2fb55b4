# SPDX-License-Identifier: Apache-2.0
"""What ``op=doctor`` finds of the chosen configuration: what it needs beside the engine, and where its weights are."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from fvhydra.config.metrics import choices
from fvhydra.core.errors import FvhydraError, InfrastructureError
from fvhydra.core.result import Criterion
from fvhydra.evaluation.metric_setup import build_metrics, require_packages
from fvhydra.ops.context import Context
from fvhydra.ops.eval import assets_of
from fvhydra.ops.weights import Source, folder_of, hub_api, list_source


def metrics(context: Context) -> Iterator[Criterion]:
    """Libraries and weights of the chosen metrics."""
    config = context.config
    if not (chosen := choices(config.metrics)):
        return
    from huggingface_hub import is_offline_mode

    assets = assets_of(config)
    try:
        built = build_metrics(chosen, assets)
        require_packages(built)
    except FvhydraError as error:
        yield Criterion("metrics", False, f"{error.message} {error.hint}".strip(), "can run")
        return
    absent = [skip.reason for metric in built if (skip := assets.missing(metric.spec))]
    listed = ", ".join(metric.spec.id for metric in built)
    given = f"will be fetched: {'; '.join(absent)}" if absent else f"{listed}: can run"
    yield Criterion("metrics", not (absent and is_offline_mode()), given, "weights are here or can be fetched")


def weights(context: Context) -> Iterator[Criterion]:
    """Whether the weights of the model are here, or may be fetched and have room."""
    config = context.config
    model, engine = config.model, config.engine
    if config.tier.weights == "tiny" or engine.name == "mock":
        yield Criterion("weights", True, f"tier={config.tier.name} needs none of the Hub", "here or can be fetched")
        return
    from huggingface_hub import constants

    from fvhydra.stores.hub.session import asking

    cache = Path(constants.HF_HUB_CACHE)
    source = Source(f"model={model.name}", model.weights, model.revision)
    try:
        with asking(timeout_s=15.0, xet=True):
            found = list_source(hub_api(), source, cache)
    except InfrastructureError as error:
        here = any((folder_of(model.weights, cache) / "snapshots").glob(f"{model.revision or '*'}/model_index.json"))
        given = f"in {cache}, not looked at file by file: {error.message}" if here else error.message
        yield Criterion("weights", here, given, "here or can be fetched")
        return
    if found.problem:
        yield Criterion("weights", False, found.problem, "here or can be fetched")
        return
    left = found.size - found.present
    free = shutil.disk_usage(next(place for place in (cache, *cache.parents) if place.exists())).free
    given = f"{model.weights} at {found.commit[:12]}: {found.size / 1e9:.1f} GB, {left / 1e9:.1f} GB of them missing"
    if left:
        given += f"; {free / 1e9:.0f} GB free at {cache}; op=prefetch model={model.name} fetches them"
    yield Criterion("weights", left < free, given, "here or can be fetched")
