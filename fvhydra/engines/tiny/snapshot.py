# SPDX-License-Identifier: Apache-2.0
"""Tiny families on disk: built once, kept in a cache folder under a key of everything that decides their bytes."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fvhydra.core.errors import UsageError, nearest
from fvhydra.core.files import canonical_json, explained, given_path, sha256_bytes
from fvhydra.core.loading import load_class
from fvhydra.engines.quiet import quiet_libraries
from fvhydra.engines.tiny_family import TinyFamily

if TYPE_CHECKING:
    from fvhydra.config.model import ModelConfig

FAMILIES = {
    "ltx2": "fvhydra.engines.tiny.ltx2:build_pipeline",
    "wan21_t2v": "fvhydra.engines.tiny.wan:build_t2v",
    "wan22_ti2v": "fvhydra.engines.tiny.wan:build_ti2v",
    "hunyuan_i2v": "fvhydra.engines.tiny.hunyuan:build_i2v",
    "cogvideox15_i2v": "fvhydra.engines.tiny.cogvideox:build_i2v",
    "stable_audio": "fvhydra.engines.tiny.stable_audio:build_pipeline",
}
"""Family to the function that builds its pipeline from a seed."""

LIBRARIES = ("diffusers", "transformers", "tokenizers")

TOKENIZERS = {
    "TokenizersBackend": "PreTrainedTokenizerFast",
    "CLIPTokenizer": "CLIPTokenizerFast",
    "GemmaTokenizer": "GemmaTokenizerFast",
}
"""Class of a tokenizer as transformers 5 saves it, to a name that transformers 4 knows too, for the same class. Engines
that are pinned to 4 read the same weights; what a model yields does not depend on the name."""


def build_snapshot(family: str, cache_dir: Path, seed: int = 0, builder: str | None = None) -> Path:
    """The folder with the family's weights, in the layout of ``save_pretrained``; built when it is not there yet.

    Any number of processes may build at once: each works in a folder of its own, and the first rename wins.

    Args:
        family: A key of :data:`FAMILIES`.
        cache_dir: Where the snapshots live. Everything in it can be deleted at any time.
        seed: Another seed gives unrelated weights.
        builder: Dotted path of a class from outside that builds the family, see
            :class:`fvhydra.engines.tiny_family.TinyFamily`.

    Raises:
        UsageError: Unknown family, the builder is none, or the cache folder cannot be written.
    """
    if builder is None and family not in FAMILIES:
        raise UsageError(
            f"model.family={family} has no tiny weights; there are some for {', '.join(sorted(FAMILIES))}."
            f"{nearest(family, FAMILIES)}",
            "tier=default loads the real weights; model.tiny names a builder of your own.",
        )
    outside = None if builder is None else load_class(builder, "model.tiny._target_", TinyFamily)
    target = given_path(cache_dir) / "tiny" / f"{family}-{key(family, seed, outside)[:16]}"
    if target.exists():
        return target
    with explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        with explained(target):
            with quiet_libraries():
                _pipeline(family, seed, outside).save_pretrained(building)
            _rename_tokenizers(building)
            building.chmod(0o755)
            _publish(building, target)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return target


def of_model(model: ModelConfig, cache_dir: Path) -> Path:
    """The folder with a model's tiny weights, see :func:`build_snapshot`."""
    return build_snapshot(model.family, cache_dir, builder=model.tiny._target_ if model.tiny else None)


def key(family: str, seed: int, outside: type[TinyFamily] | None = None) -> str:
    """Hex SHA-256 of what decides the bytes of a snapshot: this package's source, the family, the seed, versions.

    Of a builder from outside, the source of its module too.
    """
    source = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    facts: dict[str, Any] = {
        "source": sha256_bytes(source),
        "family": family,
        "seed": seed,
        "versions": {name: importlib.metadata.version(name) for name in LIBRARIES},
    }
    if outside is not None:
        module = sys.modules[outside.__module__]
        facts["builder"] = [f"{outside.__module__}.{outside.__qualname__}", inspect.getsource(module)]
    return sha256_bytes(canonical_json(facts).encode())


def _pipeline(family: str, seed: int, outside: type[TinyFamily] | None) -> Any:
    """Build the pipeline. The libraries draw random weights before ours replace them: leave no trace of that."""
    import torch

    with torch.random.fork_rng(devices=[]):
        if outside is not None:
            return outside().build(seed)
        module, _, function = FAMILIES[family].partition(":")
        return getattr(importlib.import_module(module), function)(seed)


def _rename_tokenizers(folder: Path) -> None:
    """Write the names of :data:`TOKENIZERS` into what the libraries saved."""
    index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    for component, (library, name) in [(key, value) for key, value in index.items() if isinstance(value, list)]:
        if name in TOKENIZERS:
            index[component] = [library, TOKENIZERS[name]]
            path = folder / component / "tokenizer_config.json"
            settings = json.loads(path.read_text(encoding="utf-8")) | {"tokenizer_class": TOKENIZERS[name]}
            path.write_text(json.dumps(settings, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def _publish(building: Path, target: Path) -> None:
    try:
        building.rename(target)
    except OSError:
        if not target.exists():  # another process has published the same bytes: theirs is as good
            raise
