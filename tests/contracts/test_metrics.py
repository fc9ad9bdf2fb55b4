# SPDX-License-Identifier: Apache-2.0
"""Every metric of the catalogue keeps the contract."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from fvhydra.metrics.assets import HubAssets
from fvhydra.metrics.base import Assets
from fvhydra.metrics.catalogue import CLASSES, metric_class
from fvhydra.testing.metrics import MetricContract
from fvhydra.testing.samples import VideoSample
from tests.metrics.scenes import longer, unlike, video_sample


@pytest.fixture(scope="module")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> HubAssets:
    """Built and loaded once for all metrics."""
    torch.set_num_threads(1)  # as in an evaluation: more of them only wait for each other on pictures this small
    return HubAssets("cpu", tmp_path_factory.mktemp("metrics"), tiny=True)


class Ours(MetricContract):
    """A metric of the catalogue, on takes that have everything that any of them reads."""

    @pytest.fixture(scope="class")
    @classmethod
    def metric_assets(cls, tiny_weights: HubAssets) -> Assets:
        return tiny_weights

    @pytest.fixture(scope="class")
    @classmethod
    def samples(cls, tmp_path_factory: pytest.TempPathFactory) -> Sequence[VideoSample]:
        folder = tmp_path_factory.mktemp("samples")
        spec = metric_class(cls.metric).spec
        return [video_sample(spec, *pair, folder, number) for number, pair in enumerate(unlike())]


class TestFad(Ours):
    """Of files with features, of any network."""

    metric = "audio.frechet_distance"
    params = {"extractor": "given"}  # noqa: RUF012  as the contract has it


class TestAudioDesync(Ours):
    """Of clips that are long enough for it."""

    metric = "audio.desync"
    tolerance = 1e-5

    @pytest.fixture(scope="class")
    @classmethod
    def samples(cls, tmp_path_factory: pytest.TempPathFactory) -> Sequence[VideoSample]:
        folder = tmp_path_factory.mktemp("samples")
        spec = metric_class(cls.metric).spec
        pairs = [(longer(take, 3), longer(reference, 3)) for take, reference in unlike()]
        return [video_sample(spec, *pair, folder, number) for number, pair in enumerate(pairs)]


def _contract(metric: str) -> type[Ours]:
    name = "".join(part.capitalize() for part in metric.replace(".", "_").split("_"))
    # a network's batches are as long as the chunks, and round by their length
    tolerance = 1e-5 if (spec := metric_class(metric).spec).loads(spec.params()) else 0.0
    return type(f"Test{name}", (Ours,), {"metric": metric, "tolerance": tolerance, "__module__": __name__})


_ALL = {held.__name__: held for held in map(_contract, CLASSES)}
globals().update({name: held for name, held in _ALL.items() if name not in globals()})
