# SPDX-License-Identifier: Apache-2.0
"""Where weights come from: a folder of the user's, the cache of this machine, or the Hub; each found once a process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fvhydra.core.files import sha256_file, sha256_folder
from fvhydra.metrics import download
from fvhydra.metrics.base import Shared, Skip, Skipped
from fvhydra.metrics.spec import Asset, Spec


@dataclass(frozen=True)
class HubAssets:
    """The weights of all metrics of a process.

    What is in the caller's Hugging Face cache is used as it is; ``HF_HUB_OFFLINE=1`` keeps everything from the network.

    Attributes:
        device: Where networks run, as torch names it.
        cache_dir: For single files that are not on the Hub, tiny weights and features.
        overrides: Local files or folders by the name of the asset.
        tiny: Small random weights in the place of all that have no override, for trying out how things run.
        memory_mb: About what one batch may take in a network.
        networks: Loaded networks, shared by all metrics.
    """

    device: str
    cache_dir: Path
    overrides: Mapping[str, Path] = field(default_factory=dict)
    tiny: bool = False
    memory_mb: int = 512
    networks: Shared = field(default_factory=Shared)
    _found: Shared = field(default_factory=Shared)
    _revisions: dict[str, str] = field(default_factory=dict)

    def path(self, metric: Spec, name: str) -> Path:
        """The folder or the single file of an asset, fetched if need be.

        Raises:
            Skipped: ``no_weights``: it is neither here nor can it be fetched, or its bytes are not the expected ones.
        """
        asset = _asset(metric, name)
        path, self._revisions[name] = self._found(name, lambda: self._find(asset))
        return path

    def revision(self, metric: Spec, name: str) -> str | None:
        """What exactly :meth:`path` gave: a commit, ``sha256:...`` or ``tiny:...``; None before that."""
        return self._revisions.get(_asset(metric, name).name)

    def missing(self, metric: Spec) -> Skip | None:
        """Why the metric's weights, with its default parameters, are not on this machine. Only looks."""
        if self.tiny:
            return None
        absent = [asset for asset in metric.loads(metric.params()) if not self._here(asset)]
        return Skip("no_weights", "; ".join(map(download.unavailable, absent))) if absent else None

    def _here(self, asset: Asset) -> bool:
        if asset.name in self.overrides:
            return self.overrides[asset.name].exists()
        return download.cached(asset, self.cache_dir) is not None

    def _find(self, asset: Asset) -> tuple[Path, str]:
        if asset.name in self.overrides:
            path = self.overrides[asset.name]
            if not path.exists():
                raise Skipped("no_weights", f"metrics.assets.{asset.name}={path} does not exist")
            return path, _verified(asset, path)
        if self.tiny:
            from fvhydra.metrics.models import tiny

            return tiny.build_network(asset.name, self.cache_dir), f"tiny:{tiny.VERSION}"
        path = download.cached(asset, self.cache_dir) or download.fetch(asset, self.cache_dir)
        # a snapshot's folder is named after its commit; a single file is known by its hash
        return path, path.name if path.is_dir() else _verified(asset, path)


def _asset(metric: Spec, name: str) -> Asset:
    return next(asset for asset in metric.assets if asset.name == name)


def _verified(asset: Asset, path: Path) -> str:
    """``sha256:...`` of a file or of all files of a folder; of a file that is known, it must be that one."""
    if path.is_dir():
        return f"sha256:{sha256_folder(path)}"
    found = sha256_file(path)
    if asset.sha256 not in (None, found):
        raise Skipped("no_weights", f"{path} is not {asset.repo}: its sha256 is {found}, and must be {asset.sha256}")
    return f"sha256:{found}"
