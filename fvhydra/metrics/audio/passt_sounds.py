# SPDX-License-Identifier: Apache-2.0
"""What PaSST makes of recordings, for the metrics that compare it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import doc, one_of
from fvhydra.metrics.audio import recording
from fvhydra.metrics.base import Assets, Skipped
from fvhydra.metrics.features import FeatureCache
from fvhydra.metrics.functional.audio.windows import PASST_RATE_HZ, Samples, benchmark_window
from fvhydra.metrics.models.weights import PASST
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.spec import Spec

if TYPE_CHECKING:
    from fvhydra.metrics.models.passt import Passt


@dataclass
class PasstParams:
    """Which part of a recording PaSST hears."""

    seconds: Annotated[float, Field(gt=0, le=10)] = doc(
        "parity=upstream: how much is heard from the start, s; av-benchmark's audio_length", 8.0
    )
    parity: Annotated[str, one_of("upstream", "peer")] = doc(
        "upstream: seconds, less their mean, as av-benchmark; peer: windows of 10 s, peak at -1 dBFS, as FastVideo",
        "upstream",
    )


class PasstSounds:
    """Logits and features of recordings, kept in the cache under the content of their file.

    Args:
        spec: Of the metric that asks.
        assets: Where weights come from.
        params: A :class:`PasstParams`.
        windows: With ``parity=peer``, from a recording to the windows whose outputs are averaged; those of each metric
            are others.
    """

    def __init__(
        self, spec: Spec, assets: Assets, params: Any, windows: Callable[[Samples], Sequence[Samples]]
    ) -> None:
        from fvhydra.metrics.models import passt

        path = assets.path(spec, PASST.name)
        self._network: Passt = assets.networks("passt", lambda: passt.load_passt(path, assets.device))
        self._params, self._windows = params, windows
        facts: dict[str, Any] = {"metric": "passt 1", "revision": assets.revision(spec, PASST.name)}
        facts |= {"seconds": params.seconds} if params.parity == "upstream" else {"windows": windows.__name__}
        self._cache = FeatureCache(assets.cache_dir, facts)

    def outputs(self, path: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Logits ``[527]`` and features ``[768]`` of a recording.

        Raises:
            Skipped: It cannot be read, is silent, too short, or the network has no finite value for it.
        """
        if not path.is_file():  # before its content is asked for
            raise Skipped("unreadable", f"There is no recording {path}.")
        from fvhydra.metrics.models import passt

        content = Sample("", {"file": path}).content(["file"])
        found = self._cache.get(content)
        if found is None:
            rows = [np.concatenate(passt.outputs(self._network, window)) for window in self._heard(path)]
            found = np.asarray(np.mean(rows, axis=0), np.float32)
            self._cache.put(content, found)
        return found[: self._network.classes], found[self._network.classes :]

    def _heard(self, path: Path) -> Sequence[Samples]:
        from fvhydra.metrics.models.passt import LEAST_SAMPLES

        if self._params.parity == "upstream":
            samples = recording.load_centred(path, PASST_RATE_HZ)
            _require(samples, LEAST_SAMPLES, path)
            return [benchmark_window(samples, self._params.seconds)]
        samples = recording.load_recording(path, PASST_RATE_HZ)
        _require(samples, LEAST_SAMPLES, path)
        return self._windows(samples)


def _require(samples: Samples, least: int, path: Path) -> None:
    if len(samples) < least:
        raise Skipped(
            "too_short",
            f"{path.name} has {len(samples) / PASST_RATE_HZ:.3f} s; PaSST hears {least / PASST_RATE_HZ:.2f} s or more",
        )
