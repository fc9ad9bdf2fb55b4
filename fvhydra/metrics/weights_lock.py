# SPDX-License-Identifier: Apache-2.0
"""Weights that nobody has published a hash of: pinned when they are first used, in a file that is committed.

The revisions and hashes that this package knows hold without it. An asset that has neither is taken as it comes once;
the lock keeps the commit and the SHA-256 of each file that is loaded, and from then on no other bytes are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from fvhydra.core.errors import InfrastructureError
from fvhydra.core.files import sha256_files, write_json
from fvhydra.core.untrusted import read_json, typed
from fvhydra.metrics import download
from fvhydra.metrics.spec import Asset


class WrongWeights(InfrastructureError):
    """Weights whose bytes are not those that they are pinned to."""


@dataclass(frozen=True)
class Pin:
    """What an asset was when it was first used.

    Attributes:
        revision: Commit of its repository; None of a file from an address.
        files: Path to hex SHA-256.
    """

    revision: str | None
    files: dict[str, str]


@dataclass(frozen=True)
class _Written:
    weights: dict[str, Pin]


@dataclass(frozen=True)
class WeightsLock:
    """The pins of a file; of no file where ``path`` is None, and then nothing is pinned.

    Attributes:
        pins: By :func:`name`.
        added: Those that this process has pinned.
    """

    path: Path | None = None
    pins: dict[str, Pin] = field(default_factory=dict)
    added: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path | None) -> WeightsLock:
        """The pins of a file, which need not be there yet.

        Raises:
            UsageError: It is no such file.
        """
        if path is None or not path.exists():
            return cls(path)
        hint = "fvhydra writes it; take it from your version control, or remove it to pin anew."
        written = typed(_Written, read_json(path, "weights lock"), f"{path} is no lock of weights", hint)
        return cls(path, written.weights)

    def pinned(self, asset: Asset) -> Asset:
        """The asset at the commit that it is pinned to, where it has none of its own."""
        pin = self.pins.get(name(asset))
        return asset if asset.revision or pin is None else replace(asset, revision=pin.revision)

    def hold(self, asset: Asset, path: Path, cache_dir: Path) -> None:
        """Hold what was found to its pin, or pin it.

        Args:
            asset: As the metric describes it.
            path: Its folder, named after the commit, or its single file.
            cache_dir: For a lock on the lock, so that processes may pin at once.

        Raises:
            WrongWeights: These are other bytes.
        """
        if self.path is None or asset.revision or asset.sha256:
            return
        found = _pin(asset, path)
        if (pin := self.pins.get(name(asset))) is None:
            self._add(asset, found, cache_dir)
        elif wrong := sorted(file for file, digest in pin.files.items() if found.files.get(file) != digest):
            raise WrongWeights(
                f"{path} is not the {asset.name} that {self.path} pins: {wrong[0]} has the sha256 "
                f"{found.files.get(wrong[0], 'of no file')}, and must have {pin.files[wrong[0]]}.",
                f"Remove it and fetch it again; if {asset.repo} was meant to change, remove its entry from the lock.",
            )

    def told(self) -> list[str]:
        """What to do after something was pinned; nothing where nothing was."""
        return [f"Pinned for the first time: {', '.join(self.added)}; commit {self.path}."] if self.added else []

    def _add(self, asset: Asset, pin: Pin, cache_dir: Path) -> None:
        from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]  # public, but loaded lazily

        assert self.path is not None
        cache_dir.mkdir(parents=True, exist_ok=True)
        with WeakFileLock(cache_dir / ".weights.lock"):
            known = WeightsLock.read(self.path).pins
            self.pins[name(asset)] = pin = known.get(name(asset), pin)
            write_json(self.path, asdict(_Written(dict(sorted({**known, name(asset): pin}.items())))))
        self.added.append(name(asset))


def name(asset: Asset) -> str:
    """What an asset is pinned as: its repository or address, and its file where it is one of several."""
    return "/".join([asset.repo, *(asset.files if len(asset.files) == 1 else ())])


def _pin(asset: Asset, path: Path) -> Pin:
    if path.is_file():
        files: Mapping[str, Path] = {path.name: path}
        inside = len(Path(*asset.files).parts)  # of its repository
        commit = None if download.is_address(asset) else path.parents[inside - 1].name
    else:
        names = [found.relative_to(path).as_posix() for found in sorted(path.rglob("*")) if found.is_file()]
        files = {found: path / found for found in download.wanted_files(asset, names)}
        commit = path.name
    return Pin(commit, dict(zip(files, sha256_files(files.values()), strict=True)))
