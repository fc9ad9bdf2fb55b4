# SPDX-License-Identifier: Apache-2.0
"""``op=prefetch``: weights of models and metrics into the cache, before a machine is paid for that waits for them."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from fvhydra.config.op import PrefetchConfig
from fvhydra.config.schema import conf_dir
from fvhydra.core.errors import InfrastructureError, UsageError, nearest
from fvhydra.core.files import given_path
from fvhydra.core.project import config_folders, project_settings
from fvhydra.core.result import RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.metrics import download
from fvhydra.metrics.assets import verified
from fvhydra.metrics.base import Skipped
from fvhydra.metrics.choices import offers
from fvhydra.metrics.spec import Asset
from fvhydra.metrics.weights_lock import WeightsLock
from fvhydra.ops.base import Op
from fvhydra.ops.context import Context
from fvhydra.ops.eval import assets_of
from fvhydra.ops.fetching import Enough, Fetch
from fvhydra.ops.weights import Listed, Source, folder_of, hub_api, list_source, model_sources

_SPARE_BYTES = 2**30
"""What a disk should have left."""
_MOST_BYTES = 2**44


class Prefetch(Op):
    """Fetches nothing that is here, and goes on where it was interrupted."""

    config: PrefetchConfig
    uses_model = False

    def preflight(self, context: Context) -> None:
        """Refuse words that name nothing, what may not be fetched, and a disk that is too small."""
        from huggingface_hub import is_offline_mode

        if is_offline_mode():
            raise UsageError("HF_HUB_OFFLINE is set, so nothing can be fetched.", "Unset it for this command.")
        found = self._found(context)
        problems = [item.problem for item in found if item.problem]
        if context.config.dry_run:  # which lists them
            return
        if problems:
            listing = "".join(f"\n    {problem}" for problem in problems)
            raise UsageError(
                f"{len(problems)} of {len(found)} repositories cannot be fetched:{listing}",
                "Or leave them out: model=[...]; dry_run=true lists all.",
            )
        missing, free = sum(item.size - item.present for item in found), _free(self._cache(context))
        if self.config.smoke_seconds is None and free < missing + _SPARE_BYTES:
            raise UsageError(
                f"{self._cache(context)} has {_gb(free)} free, and {_gb(missing)} are missing.",
                "Name another disk: op.cache_dir=<folder>, and HF_HUB_CACHE=<folder> for what loads them.",
            )

    def plan(self, context: Context) -> RunResult:
        """List what would be fetched."""
        return self._result(context, "would be fetched", [])

    def run(self, context: Context) -> RunResult:
        """Fetch what is missing."""
        found = self._found(context)
        missing = sum(item.size - item.present for item in found)
        context.progress.stage("prefetch", msg=f"{_gb(missing)} into {self._cache(context)}")
        began = time.monotonic()
        try:
            self._fetch(context, found, began + (self.config.smoke_seconds or float("inf")))
        except Enough:
            took = time.monotonic() - began
            left = sum(item.size - item.present for item in self._found(context, anew=True))
            return self._result(context, "are still missing", [_pace(missing - left, took, left)])
        self._found(context, anew=True)
        return self._result(context, "are still missing", [_pace(missing, time.monotonic() - began, 0)])

    def _fetch(self, context: Context, found: list[Listed], until: float) -> None:
        total = sum(item.size for item in found)
        with self._asking():
            fetch = Fetch(
                hub_api(),
                self._cache(context),
                self.config.patience_s,
                until,
                lambda here: context.progress.step(here // 10**6, max(total // 10**6, 1)),
            )
            for item in found:
                said = f"{item.source.label} {item.source.repo} {_gb(item.size)}{_licence(item)}"
                context.progress.stage("fetch", msg=said)
                fetch.fetch(item)
                if asset := item.source.asset:
                    snapshot = folder_of(asset.repo, self._cache(context)) / "snapshots" / item.commit
                    self._hold(context, asset, download.entry(asset, snapshot))
        for asset in self._single_files(context):
            context.progress.stage("fetch", msg=download.terms(asset))
            folder = given_path(context.config.runtime.cache_dir)
            try:
                path = download.cached(asset, folder) or download.fetch(asset, folder)
            except Skipped as error:
                raise InfrastructureError(f"{asset.repo} did not arrive: {error}.") from error
            self._hold(context, asset, path)

    def _hold(self, context: Context, asset: Asset, path: Path) -> None:
        """Hold a metric's weights to their hash, or pin them."""
        if asset.sha256:
            verified(asset, path)
        self._lock(context).hold(asset, path, given_path(context.config.runtime.cache_dir))

    def _lock(self, context: Context) -> WeightsLock:
        return context.prepared.own.once("lock", lambda: assets_of(context.config).lock)

    # ------------------------------------------------------------------ what is wanted
    def _found(self, context: Context, anew: bool = False) -> list[Listed]:
        if anew:
            context.prepared.own.forget("weights")
        return context.prepared.own.once("weights", lambda: self._list(context))

    def _list(self, context: Context) -> list[Listed]:
        sources = {
            (source.repo, source.revision, source.asset and source.asset.files): source
            for source in self._sources(context)
        }
        api, cache = hub_api(), self._cache(context)
        with self._asking():
            return [list_source(api, source, cache, self.config.whole) for source in sources.values()]

    def _sources(self, context: Context) -> Iterator[Source]:
        words = [str(word) for word in self.config.models]
        if not words and not self.config.metrics:
            words = [context.config.model.name]
        folders = [conf_dir(), *(folder.path for folder in config_folders(context.command, project_settings()))]
        yield from model_sources(words, folders)
        for name, asset in self._assets(context).items():
            if not download.is_address(asset):
                yield Source(name, asset.repo, self._lock(context).pinned(asset).revision, asset)

    def _single_files(self, context: Context) -> list[Asset]:
        return [asset for asset in self._assets(context).values() if download.is_address(asset)]

    def _assets(self, context: Context) -> dict[str, Asset]:
        """The weights of the metrics that ``op.metrics`` names: by choice, family, id, or all."""
        words = [str(word) for word in self.config.metrics]
        if not words:
            return {}
        folders = [folder.path for folder in config_folders(context.command, project_settings())]
        known = {name: offer for name, offer in offers(folders, {}).items() if not offer.spec().planned}
        found: dict[str, Asset] = {}
        for word in words:
            chosen = [
                offer
                for name, offer in known.items()
                if word in ("all", name, name.partition(".")[0], offer.word, offer.word.partition("_")[0])
            ]
            if not chosen:
                names = sorted({"all", *(offer.word for offer in known.values()), *known} - {""})
                raise UsageError(f"metrics={word}: no metric or family has that name.{nearest(word, names)}")
            for offer in chosen:
                spec = offer.spec()
                found |= {f"{offer.id} {asset.name}": asset for asset in spec.loads(spec.params())}
        return {name: asset for name, asset in found.items() if asset.name not in context.config.metrics.assets}

    # ------------------------------------------------------------------ how
    def _asking(self) -> contextlib.AbstractContextManager[None]:
        from fvhydra.stores.hub.session import asking

        return asking(self.config.timeout_s, xet=True, most_bytes=_MOST_BYTES)

    def _cache(self, context: Context) -> Path:
        from huggingface_hub import constants

        return given_path(self.config.cache_dir or constants.HF_HUB_CACHE).absolute()

    def _result(self, context: Context, missing: str, notes: list[str]) -> RunResult:
        found, cache = self._found(context), self._cache(context)
        left = sum(item.size - item.present for item in found)
        lines = [_line(item) for item in found]
        folder = given_path(context.config.runtime.cache_dir)
        for asset in self._single_files(context):
            here = "here" if download.cached(asset, folder) else "missing"
            lines.append(f"{download.terms(asset)}, {here}")
        lines += self._lock(context).told()
        if self.config.cache_dir is not None:
            lines.append(f"For what loads them: export HF_HUB_CACHE={cache}")
        problems = [item for item in found if item.problem]
        return RunResult(
            op=self.config.name,
            verdict=Verdict.USAGE_ERROR if problems else Verdict.DONE,
            message=f"{len(found)} repositories, {_gb(sum(item.size for item in found))}; {_gb(left)} {missing}; "
            f"{_gb(_free(cache))} free at {cache}.",
            notes=[*notes, *lines],
            details={
                "cache_dir": str(cache),
                "repositories": [
                    {
                        "for": item.source.label,
                        "repo": item.source.repo,
                        "commit": item.commit,
                        "bytes": item.size,
                        "present": item.present,
                        "licence": item.source.asset.licence if item.source.asset else None,
                        "commercial_use": item.source.asset.commercial if item.source.asset else None,
                        "problem": item.problem,
                    }
                    for item in found
                ],
            },
        )


def _line(item: Listed) -> str:
    if item.problem:
        return f"{item.source.label}  {item.problem}"
    return (
        f"{item.source.label}  {item.source.repo} at {item.commit[:12]}  {len(item.files)} file(s), {_gb(item.size)}, "
        f"{_gb(item.present)} here{_licence(item)}"
    )


def _licence(item: Listed) -> str:
    return f", {download.licence(item.source.asset)}" if item.source.asset else ""


def _pace(arrived: int, took_s: float, left: int) -> str:
    rate = arrived / max(took_s, 1e-3)
    said = f"{_gb(arrived)} in {took_s:.1f} s: {rate / 1e6:.2f} MB/s"
    return f"{said}; the rest would take {left / rate / 60:.1f} min." if left and rate else f"{said}."


def _free(folder: Path) -> int:
    return shutil.disk_usage(next(place for place in (folder, *folder.parents) if place.exists())).free


def _gb(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 10**8 else f"{size / 1e6:.2f} MB"
