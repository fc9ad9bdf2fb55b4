# SPDX-License-Identifier: Apache-2.0
"""A cache on disk for the features that networks compute of clips and recordings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fvhydra.core.errors import UsageError
from fvhydra.core.files import atomic_path, canonical_json, sha256_bytes
from fvhydra.core.untrusted import read_array


class FeatureCache:
    """Rows of features, stored under a hash of everything that decides them.

    Args:
        cache_dir: ``runtime.cache_dir``; everything below ``features/`` can be deleted at any time.
        facts: What decides the features beside the file: extractor, revision of its weights, how frames are taken.
    """

    def __init__(self, cache_dir: Path, facts: Mapping[str, Any]) -> None:
        self._folder = cache_dir / "features"
        self._facts = dict(facts)

    def get(self, content: str) -> NDArray[np.float32] | None:
        """The features of a file, float32, or None.

        Args:
            content: The file's hash.
        """
        try:
            return np.asarray(read_array(self._path(content)), np.float32)
        except UsageError:  # there is none; a damaged one is computed again
            return None

    def put(self, content: str, features: NDArray[np.float32]) -> None:
        """Keep the features of a file, atomically."""
        with atomic_path(self._path(content), suffix=".npy") as temporary:
            np.save(temporary, features)

    def _path(self, content: str) -> Path:
        key = sha256_bytes(canonical_json({**self._facts, "content": content}).encode())
        return self._folder / key[:2] / f"{key}.npy"
