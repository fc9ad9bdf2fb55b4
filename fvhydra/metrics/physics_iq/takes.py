# SPDX-License-Identifier: Apache-2.0
"""What the metrics of Physics-IQ share: the masks of each video and how two videos agree, computed once a clip."""

from __future__ import annotations

from dataclasses import astuple
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import PositiveFloat, doc, one_of
from fvhydra.metrics.base import Chunk, SampleVideos, Skipped
from fvhydra.metrics.functional.physics_iq.agreement import (
    Agreement,
    RunningAgreement,
    SmallFrames,
    SmallMasks,
    shrink_frames,
    shrink_masks,
    working_size,
)
from fvhydra.metrics.functional.physics_iq.motion import Mask, MotionMasks, through_mp4

PEER_FPS = 30
"""FastVideo takes every clip for one of this rate."""


@dataclass
class PhysicsIqParams:
    """How much of the videos is compared, and how motion is found."""

    seconds: PositiveFloat = doc("How much from the beginning", 5.0)
    threshold: Annotated[int, Field(ge=0, le=255)] = doc("A pixel moves when it changes by more, of 255", 10)
    alpha: Annotated[float, Field(gt=0, le=1)] = doc("Weight of the newest frame in the running average", 0.3)
    coded_masks: bool = doc(
        "Send all masks that are computed through an MPEG-4 file, as the benchmark does: for its leaderboard only",
        False,
    )
    parity: Annotated[str, one_of("upstream", "peer")] = doc(
        "upstream: seconds of each clip's own rate, which must be equal; peer: 30 frames a second whatever the rate, "
        "and coded_masks codes only what is judged",
        "upstream",
    )


LEADERBOARD = "Physics-IQ, with coded_masks=true and defaults otherwise"


def leaderboard(params: PhysicsIqParams) -> tuple[str, ...]:
    """The leaderboard, where these parameters are its own; otherwise nothing."""
    return (LEADERBOARD,) if params == PhysicsIqParams(coded_masks=True) else ()


class Take:
    """One video of a sample: its first seconds at working size, and what moves in them.

    Args:
        clip: The sample.
        key: Of the video; ``<key>_mask`` is the video of its masks, where there is one.
        params: How it is looked at.
    """

    def __init__(self, clip: SampleVideos, key: str, params: PhysicsIqParams) -> None:
        reference = clip.tracks["reference"]
        self.key = key
        self.frames = 0
        self.fps = float(PEER_FPS) if params.parity == "peer" else clip.tracks[key].fps
        self._most = max(round(params.seconds * self.fps), 1)
        self._size = working_size(reference.height, reference.width)
        self._motion = MotionMasks(params.threshold, params.alpha)
        self._masked = f"{key}_mask" in clip.tracks
        self._kept: list[tuple[NDArray[np.uint8], int]] | None = [] if params.coded_masks else None
        self._given: list[SmallMasks] = []
        self._clip = clip
        self._shared_key = "physics_iq take", key, astuple(params)

    @classmethod
    def of(cls, clip: SampleVideos, key: str, params: PhysicsIqParams) -> Take:
        """The same object for all metrics with the same parameters."""
        return clip.shared(("physics_iq take", key, astuple(params)), lambda: cls(clip, key, params))

    def read(self, chunk: Chunk) -> tuple[SmallFrames, SmallMasks]:
        """The frames and masks of a chunk, as many as are within the seconds; computed for whoever asks first."""
        return chunk.shared(self._shared_key, lambda: self._read(chunk))

    def coded_masks(self) -> SmallMasks:
        """All masks after a way through an MPEG-4 file; those that were given come from one."""
        return self._clip.shared((*self._shared_key, "coded"), self._coded_masks)

    def _coded_masks(self) -> SmallMasks:
        if self._masked:
            return np.concatenate(self._given)
        kept = self._kept or []
        masks = (np.unpackbits(bits, axis=1, count=width) * np.uint8(255) for bits, width in kept)
        return shrink_masks(through_mp4(masks, self.fps), self._size)

    def _read(self, chunk: Chunk) -> tuple[SmallFrames, SmallMasks]:
        left = self._most - self.frames
        frames = chunk.tracks.get(self.key, np.empty((0, 1, 1, 3), np.uint8))[:left]
        masks = self._masks(frames, chunk, left)
        self.frames += len(frames)
        small = shrink_masks(masks, self._size)
        if self._kept is not None and self._masked:
            self._given.append(small)
        elif self._kept is not None:
            # a bit a pixel in full size; the seconds bound how many there are
            self._kept += [(np.packbits(mask > 127, axis=1), mask.shape[1]) for mask in masks]
        return shrink_frames(frames, self._size), small

    def _masks(self, frames: NDArray[np.uint8], chunk: Chunk, left: int) -> list[Mask]:
        if not self._masked:
            return [self._motion(frame) for frame in frames]
        given = chunk.tracks.get(f"{self.key}_mask", frames[:0])[:left]
        if len(given) != len(frames):
            raise Skipped("shape", f"{self.key}_mask has not as many frames as {self.key}")
        return [frame[..., 0] for frame in given]


class Comparison:
    """How two videos of a sample agree. ``update`` and ``agreement`` do their work once, for whoever asks first."""

    def __init__(self, clip: SampleVideos, keys: tuple[str, str], params: PhysicsIqParams) -> None:
        self._clip = clip
        self._takes = Take.of(clip, keys[0], params), Take.of(clip, keys[1], params)
        self._coded = params.coded_masks
        self._codes_both = params.parity == "upstream"
        self._agreement = RunningAgreement()
        self._waiting: list[SmallMasks] = []
        self._shared_key = "physics_iq comparison", keys, astuple(params)
        from fvhydra.media.video import same_rate  # here, because listing metrics must not load a decoder

        rates = self._takes[0].fps, self._takes[1].fps
        if not same_rate(*rates):
            shown = " and ".join(f"{take.key} {take.fps:g}" for take in self._takes)
            raise Skipped("shape", f"the frame rates differ: {shown}; bring the recordings to the rate of the clip")

    @classmethod
    def of(cls, clip: SampleVideos, keys: tuple[str, str], params: PhysicsIqParams) -> Comparison:
        """The same object for all metrics with the same parameters; the first key is the one judged."""
        return clip.shared(("physics_iq comparison", keys, astuple(params)), lambda: cls(clip, keys, params))

    def update(self, chunk: Chunk) -> None:
        """Compare the next frames."""
        chunk.shared(self._shared_key, lambda: self._update(chunk))

    def agreement(self) -> Agreement:
        """The agreement of all frames, after the last chunk.

        Raises:
            Skipped: Within the seconds, one video is longer than the other, or there are no frames.
        """
        return self._clip.shared((*self._shared_key, "agreement"), self._result)

    def _update(self, chunk: Chunk) -> None:
        (frames, masks), (others, other_masks) = (take.read(chunk) for take in self._takes)
        both = min(len(frames), len(others))
        self._agreement.see_frames(frames[:both], others[:both])
        if self._coded:
            self._waiting.append(other_masks[:both])
        else:
            self._agreement.see_masks(masks[:both], other_masks[:both])

    def _result(self) -> Agreement:
        judged, reference = self._takes
        if judged.frames != reference.frames:
            counts = " and ".join(f"{take.key} {take.frames}" for take in self._takes)
            raise Skipped("shape", f"the frame counts within the seconds that are compared differ: {counts}")
        if not judged.frames:
            raise Skipped("too_short", "there are no frames to compare")
        if self._coded:
            others = reference.coded_masks() if self._codes_both else np.concatenate(self._waiting)
            self._agreement.see_masks(judged.coded_masks(), others)
        return self._agreement.result()
