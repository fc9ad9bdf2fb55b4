# SPDX-License-Identifier: Apache-2.0
"""Weights from the Hub or an address, through the caches that are there already.

Repositories are kept in the caller's Hugging Face cache, where other programs find them too; single files from
elsewhere in ``runtime.cache_dir``.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from fvhydra.core.files import atomic_path
from fvhydra.core.token import find_token
from fvhydra.metrics.base import Skipped
from fvhydra.metrics.spec import Asset

_WEIGHTS = ("*.safetensors", "*.bin")
"""What repositories hold the same weights as, the better one first; only one is fetched."""

_BESIDES = ("*.json", "*.txt")
"""Configurations and vocabularies."""

_CONFIG = "config.json"
"""What every repository of weights has."""

_TIMEOUT_S = 30


def cached(asset: Asset, cache_dir: Path) -> Path | None:
    """The folder or single file of an asset, if it is on this machine. Only looks."""
    if is_address(asset):
        path = _kept(asset, cache_dir)
        return path if path.exists() else None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(asset.repo, asset.files[0] if asset.files else _CONFIG, revision=asset.revision)
    if not isinstance(found, str):
        return None
    folder = Path(found).parent
    # somebody else may have fetched only its configuration
    return entry(asset, folder) if asset.files or any(any(folder.glob(kind)) for kind in _WEIGHTS) else None


def fetch(asset: Asset, cache_dir: Path) -> Path:
    """Download an asset.

    Raises:
        Skipped: ``no_weights``: offline, gated, gone, or interrupted; says how to get it.
    """
    from huggingface_hub import is_offline_mode

    if is_offline_mode():
        raise Skipped("no_weights", f"{unavailable(asset)} (HF_HUB_OFFLINE is set)")
    try:
        return _from_address(asset, cache_dir) if is_address(asset) else _from_hub(asset)
    except Exception as error:
        # of the network, of the Hub, of the disk: whichever it is, the other metrics go on
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise Skipped("no_weights", f"{unavailable(asset)} ({first_line})") from error


def terms(asset: Asset) -> str:
    """What is downloaded and under which terms: ``net: alice/net at 3d74acf9, 12 MB, licence MIT``."""
    size = "of unknown size" if asset.megabytes is None else f"{asset.megabytes} MB"
    where = "/".join([asset.repo, *(asset.files if len(asset.files) == 1 else ())])
    where += f" at {asset.revision}" if asset.revision else ""
    return f"{asset.name}: {where}, {size}, {licence(asset)}"


def licence(asset: Asset) -> str:
    """``licence MIT``, and whether that allows commercial use where it does not, or nobody knows."""
    commercial = {True: "", False: ", not for commercial use", None: ", commercial use unknown"}[asset.commercial]
    return f"licence {asset.licence}{commercial}"


def unavailable(asset: Asset) -> str:
    """What is lacking and how to get it."""
    if is_address(asset):
        command = f"curl -fLO {asset.repo}"
    else:
        revision = f" --revision {asset.revision}" if asset.revision else ""
        command = " ".join(["hf download", asset.repo, *asset.files]) + revision
    return (
        f"weights unavailable: {asset.repo}, {asset.megabytes} MB; get it with `{command}`, "
        f"or name a copy: metrics.assets.{asset.name}=<path>"
    )


def _from_hub(asset: Asset) -> Path:
    from huggingface_hub import HfApi, snapshot_download

    found = find_token()
    token = found.value if found else None
    # this question is not repeated for half a minute when there is no network, as others are
    info = HfApi(token=token).model_info(asset.repo, revision=asset.revision)
    patterns = wanted_patterns(asset, [sibling.rfilename for sibling in info.siblings or []])
    folder = snapshot_download(asset.repo, revision=asset.revision, allow_patterns=patterns, token=token)
    return entry(asset, Path(folder))


def wanted_files(asset: Asset, names: Sequence[str]) -> list[str]:
    """Those of a repository's files that are loaded."""
    patterns = wanted_patterns(asset, names)
    return [name for name in names if any(fnmatch(name, pattern) for pattern in patterns)]


def wanted_patterns(asset: Asset, names: Sequence[str]) -> list[str]:
    """Which files of a repository are loaded, as patterns of :mod:`fnmatch`; ``names`` are all that it has."""
    kinds = [kind for kind in _WEIGHTS if any(fnmatch(name, kind) for name in names)]
    return list(asset.files) or [*_BESIDES, *kinds[:1]]


def _from_address(asset: Asset, cache_dir: Path) -> Path:
    import httpx2

    path = _kept(asset, cache_dir)
    with (
        httpx2.stream("GET", asset.repo, follow_redirects=True, timeout=_TIMEOUT_S) as answer,
        atomic_path(path) as temporary,
        open(temporary, "wb") as out,
    ):
        answer.raise_for_status()
        for block in answer.iter_bytes():
            out.write(block)
    return path


def entry(asset: Asset, folder: Path) -> Path:
    """What a metric is given of a snapshot's folder: its only file, or the folder."""
    return folder / asset.files[0] if len(asset.files) == 1 else folder


def is_address(asset: Asset) -> bool:
    """Whether it is a single file that is on no Hub."""
    return asset.repo.startswith(("https://", "http://"))


def _kept(asset: Asset, cache_dir: Path) -> Path:
    return cache_dir / "weights" / asset.repo.rpartition("/")[2]
