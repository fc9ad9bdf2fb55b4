# SPDX-License-Identifier: Apache-2.0
"""The metrics: flow against a reference's, or against that of the controls; given in files, or estimated by DIS."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fvhydra.metrics.base import Chunk, Metric, Reading, SampleVideos, Score, Skipped
from fvhydra.metrics.functional.optical_flow.comparison import Flow
from fvhydra.metrics.optical_flow.pairs import OUTPUTS, FlowPairs, FlowParams
from fvhydra.metrics.optical_flow.sources import Controlled, Estimated, given
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.spec import Input, Spec

_CONTROLS = (
    Input("actions", "file"),
    Input("calibration", "file"),
    Input("mouse_pitch_sign", "data", required=False),
)

_SEEN_BY_CONTROLS = ("drop a frame", "repeat a frame", "speed 2x", "freeze", "cut to another")
_SEEN = (*_SEEN_BY_CONTROLS, "shift by one", "swap two clips")


def _spec(
    name: str, title: str, inputs: tuple[Input, ...], ideal: float | None = None, sees: tuple[str, ...] = ()
) -> Spec:
    return Spec(
        id=f"optical_flow.{name}",
        version=2,
        title=title,
        kind="sample",
        direction="lower",
        unit="px",
        low=0.0,
        inputs=inputs,
        outputs=OUTPUTS,
        params=FlowParams,
        source="FastVideo's evaluation",
        ideal=ideal,
        sees=sees,
    )


class GivenFlow(Metric):
    """Flow of a clip and of its reference, both from files; the estimator is whatever wrote them."""

    spec = _spec(
        "gt_optical_flow",
        "End-point error of a clip's given optical flow against its reference's, mean over pixels and frames",
        (Input("flow", "file"), Input("reference_flow", "file")),
        ideal=0.0,
        sees=_SEEN,
    )

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        flows, references = (given(sample.keys[key]) for key in ("flow", "reference_flow"))
        count = min(len(flows), len(references))
        if len(flows) != len(references) and self.params.parity == "upstream":
            raise Skipped("shape", f"the numbers of flows differ: {len(flows)} and {len(references)}")
        return _FileReading(self.params, count, lambda pair: (references[pair], flows[pair]))


class GivenSyntheticFlow(Metric):
    """Flow from a file against the flow that the controls should give."""

    spec = _spec(
        "synthetic_optical_flow",
        "End-point error of a clip's given optical flow against what its controls should give",
        (Input("flow", "file"), *_CONTROLS),
        sees=_SEEN_BY_CONTROLS,
    )

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        flows, controls = given(sample.keys["flow"]), Controlled(sample, self.params)
        height, width = flows.shape[1:3]
        return _FileReading(
            self.params, controls.usable(len(flows)), lambda pair: (controls.flow(pair, height, width), flows[pair])
        )


class DisFlow(Metric):
    """Flow of a clip against that of its reference, both estimated by DIS."""

    spec = _spec(
        "gt_dis",
        "End-point error of a clip's optical flow against its reference's, both estimated by OpenCV's DIS",
        (Input("video", "video", least_frames=2), Input("reference", "video", least_frames=2)),
        ideal=0.0,
        sees=_SEEN,
    )

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        estimated, references = (Estimated(clip, key) for key in ("video", "reference"))

        def pairs(chunk: Chunk, seen: int) -> Iterator[tuple[Flow, Flow]]:
            return zip(references.read(chunk), estimated.read(chunk), strict=True)

        return _FrameReading(self.params, pairs)


class DisSyntheticFlow(Metric):
    """Flow of a clip, estimated by DIS, against the flow that the controls should give."""

    spec = _spec(
        "synthetic_dis",
        "End-point error of a clip's optical flow, estimated by OpenCV's DIS, against what its controls should give",
        (Input("video", "video", least_frames=2), *_CONTROLS),
        sees=_SEEN_BY_CONTROLS,
    )

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        estimated, controls = Estimated(clip, "video"), Controlled(sample, self.params)
        size = clip.tracks["video"].height, clip.tracks["video"].width

        def pairs(chunk: Chunk, seen: int) -> Iterator[tuple[Flow, Flow]]:
            for pair, flow in enumerate(estimated.read(chunk), start=seen):
                if pair < controls.most:
                    yield controls.flow(pair, *size), flow

        return _FrameReading(self.params, pairs, controls.usable)


class _FileReading:
    """Compares what files hold, one pair at a time; the clip's frames are not looked at."""

    def __init__(self, params: FlowParams, count: int, pair: Callable[[int], tuple[Flow, Flow]]) -> None:
        self._count = count
        self._pair = pair
        self._pairs = FlowPairs(params)

    def update(self, chunk: Chunk) -> None:
        pass

    def result(self) -> Score:
        for number in range(self._count):
            reference, generated = self._pair(number)
            self._pairs.add(reference.astype("float32"), generated.astype("float32"))
        return self._pairs.score()


class _FrameReading:
    """Compares flow that is estimated as the frames come."""

    def __init__(
        self,
        params: FlowParams,
        pairs: Callable[[Chunk, int], Iterator[tuple[Flow, Flow]]],
        usable: Callable[[int], int] | None = None,
    ) -> None:
        self._new_pairs = pairs
        self._usable = usable
        self._pairs = FlowPairs(params)
        self._frames = 0

    def update(self, chunk: Chunk) -> None:
        for reference, generated in self._new_pairs(chunk, max(self._frames - 1, 0)):
            self._pairs.add(reference, generated)
        self._frames += len(chunk.tracks["video"])

    def result(self) -> Score:
        if self._usable is not None:
            self._usable(self._frames - 1)
        return self._pairs.score()
