# SPDX-License-Identifier: Apache-2.0
"""Where weights come from: a folder of the user's, the cache of this machine, or the Hub; each found once a process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fvhydra.core.files import given_path, sha256_file, sha256_folder
from fvhydra.metrics import download
from fvhydra.metrics.base import Shared, Skip, Skipped
from fvhydra.metrics.spec import Asset, Spec
from fvhydra.metrics.weights_lock import WeightsLock, WrongWeights


@dataclass(frozen=True)
class HubAssets:
    """The weights of all metrics of a process.

    What is in the caller's Hugging Face cache is used as it is; ``HF_HUB_OFFLINE=1`` keeps everything from the network.

    Attributes:
        device: Where networks run, as torch names it.
        cache_dir: For single files that are not on the Hub, tiny weights and features.
        overrides: Local files or folders by the name of the asset.
        tiny: Small random weights in the place of all that have no override, for trying out how things run.
        lock: Pins of weights that nobody has published a hash of.
        memory_mb: About what one batch may take in a network.
        networks: Loaded networks, shared by all metrics.
    """

    device: str
    cache_dir: Path
    overrides: Mapping[str, Path] = field(default_factory=dict)
    tiny: bool = False
    lock: WeightsLock = field(default_factory=WeightsLock)
    memory_mb: int = 512
    networks: Shared = field(default_factory=Shared)
    _found: Shared = field(default_factory=Shared)
    _revisions: dict[str, str] = field(default_factory=dict)

    def path(self, metric: Spec, name: str) -> Path:
        """The folder or the single file of an asset, fetched if need be.

        Raises:
            Skipped: ``no_weights``: it is neither here nor can it be fetched.
            WrongWeights: Its bytes are not the expected ones.
        """
        asset = _asset(metric, name)
        path, self._revisions[name] = self._found((name, asset.repo), lambda: self._find(asset))
        return path

    def revision(self, metric: Spec, name: str) -> str | None:
        """What exactly :meth:`path` gave: a commit, ``sha256:...`` or ``tiny:...``; None before that."""
        return self._revisions.get(_asset(metric, name).name)

    def missing(self, metric: Spec) -> Skip | None:
        """Why the metric's weights, with its default parameters, are not on this machine. Only looks."""
        absent = self.absent(metric.loads(metric.params()))
        return Skip("no_weights", "; ".join(map(download.unavailable, absent))) if absent else None

    def absent(self, assets: Iterable[Asset]) -> list[Asset]:
        """Those that are not on this machine, at the commits that they are pinned to. Only looks."""
        return [] if self.tiny else [self.lock.pinned(asset) for asset in assets if not self._here(asset)]

    def _here(self, asset: Asset) -> bool:
        if (local := self._local(asset)) is not None:
            return local.exists()
        return download.cached(self.lock.pinned(asset), self.cache_dir) is not None

    def _local(self, asset: Asset) -> Path | None:
        """The path that takes the place of an asset, whether it is there or not."""
        if asset.name in self.overrides:
            return self.overrides[asset.name]
        return given_path(asset.repo) if asset.repo.startswith(("/", "./", "../", "~")) else None

    def _find(self, asset: Asset) -> tuple[Path, str]:
        if (path := self._local(asset)) is not None:
            if not path.exists():
                key = f"metrics.assets.{asset.name}" if asset.name in self.overrides else asset.named_by
                raise Skipped("no_weights", f"{key}={path} does not exist")
            return path, verified(asset, path)
        if self.tiny:
            from fvhydra.metrics.models import tiny

            return tiny.build_network(asset.name, self.cache_dir), f"tiny:{tiny.VERSION}"
        wanted = self.lock.pinned(asset)
        path = download.cached(wanted, self.cache_dir) or download.fetch(wanted, self.cache_dir)
        self.lock.hold(asset, path, self.cache_dir)
        # a snapshot's folder is named after its commit; a single file is known by its hash
        return path, path.name if path.is_dir() else verified(asset, path)


def _asset(metric: Spec, name: str) -> Asset:
    return next(asset for asset in metric.assets if asset.name == name)


def verified(asset: Asset, path: Path) -> str:
    """``sha256:...`` of a file or of all files of a folder.

    Raises:
        WrongWeights: It is the file of an asset whose hash is known, and another one.
    """
    if path.is_dir():
        return f"sha256:{sha256_folder(path)}"
    found = sha256_file(path)
    if asset.sha256 not in (None, found):
        raise WrongWeights(
            f"{path} is not {asset.repo}: its sha256 is {found}, and must be {asset.sha256}.",
            f"Remove it and fetch it again, or name another copy: metrics.assets.{asset.name}=<path>",
        )
    return f"sha256:{found}"
