# SPDX-License-Identifier: Apache-2.0
"""What is measured beside a metric changes nothing, and memory does not grow with the clip (chunks: see contracts)."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from fvhydra.metrics.base import Chunk, SampleVideos, Score, Shared, Track
from fvhydra.metrics.catalogue import CLASSES, metric_class
from fvhydra.metrics.sample import Sample
from tests.metrics.running import make, run
from tests.similarity.conftest import textured

IDS = [
    metric
    for metric in sorted(CLASSES)
    if "video" in metric_class(metric).spec.keys("video")
    and not (spec := metric_class(metric).spec).loads(spec.params())
]
CONTROLS = {
    "actions": {"keyboard": [[step % 2, 0, 0, 1, 0, 0] for step in range(23)], "mouse": [[0.1, -0.2]] * 23},
    "calibration": dict.fromkeys(("alpha_yaw", "alpha_pitch", "alpha_turn", "beta_fwd", "beta_strafe"), 0.01)
    | {"focal_length": 50.0},
}


def clips(frames: int) -> dict[str, NDArray[np.uint8]]:
    reference = textured(frames, 48, 64)
    noise = np.random.default_rng(3).integers(0, 25, (2, *reference.shape)).astype(np.uint8)
    return {"reference": reference, "video": reference // 2 + noise[0], "reference_take2": reference // 2 + noise[1]}


def same(found: Score, expected: Score) -> None:
    assert (found.value, found.outputs, found.frames) == (expected.value, expected.outputs, expected.frames)
    assert found.series.keys() == expected.series.keys()
    for name, values in found.series.items():  # NaN, for "no value", included
        np.testing.assert_array_equal(values, expected.series[name])


@pytest.mark.parametrize("metric", IDS)
def test_no_bit_depends_on_other_metrics(metric: str) -> None:
    videos = clips(9)
    metrics = [make(each) for each in IDS]
    controls = CONTROLS | {"actions": {name: values[:9] for name, values in CONTROLS["actions"].items()}}
    together = run(metrics, controls, chunk=4, **videos)[IDS.index(metric)]
    same(run([make(metric)], controls, chunk=4, **videos)[0], together)


def peak_mb(metric: str, frames: int) -> float:
    """Largest memory of one metric while frames come that nobody keeps."""
    tracks = {key: Track(96, 128, 24, frames) for key in ("video", "reference", "reference_take2")}
    controls = {name: np.zeros((frames, width)).tolist() for name, width in (("keyboard", 6), ("mouse", 2))}
    reading = make(metric).begin(Sample("a", CONTROLS | {"actions": controls}), SampleVideos(tracks))
    random = np.random.default_rng(0)
    tracemalloc.start()
    for start in range(0, frames, 4):
        videos = {key: random.integers(0, 255, (4, 96, 128, 3), dtype=np.uint8) for key in tracks}
        reading.update(Chunk(start, videos, Shared()))
    reading.result()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


@pytest.mark.parametrize("metric", IDS)
def test_memory_does_not_grow_with_the_clip(metric: str) -> None:
    peak_mb(metric, 8)  # what is imported and kept for good
    short, long = peak_mb(metric, 16), peak_mb(metric, 96)
    # 80 frames more are 2.8 MB of each video; numbers that are kept of each are not even a tenth
    assert long < short + 0.3
