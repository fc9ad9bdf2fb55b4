# SPDX-License-Identifier: Apache-2.0
"""Where flow comes from: a file, OpenCV's DIS on neighbouring frames, or the controls of a world model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fvhydra.core.errors import UsageError
from fvhydra.core.untrusted import read_array, read_arrays, read_json
from fvhydra.metrics.base import Chunk, SampleVideos, Skipped
from fvhydra.metrics.functional.optical_flow.camera import Calibration, CameraMotion, camera_motion, reference_flows
from fvhydra.metrics.functional.optical_flow.comparison import Flow
from fvhydra.metrics.optical_flow.pairs import FlowParams
from fvhydra.metrics.sample import Sample

LEAST_SIDE = 16
"""Of a frame whose flow DIS estimates: it refuses little pictures."""


def given(path: Path) -> NDArray[np.floating]:
    """The flows of a file: real ``[N, H, W, 2]``, N one less than frames, in pixels; u to the right, v down.

    Args:
        path: ``.npy``, of which only what is needed is read, or ``.npz`` with the array ``flow``.

    Raises:
        Skipped: It is something else.
    """
    try:
        flows = read_arrays(path)["flow"] if path.suffix == ".npz" else read_array(path, mapped=True)
    except (UsageError, KeyError) as error:
        raise Skipped("unreadable", f"{path} holds no flow: {error}") from error
    if flows.ndim != 4 or flows.shape[-1] != 2 or flows.dtype.kind != "f":
        raise Skipped("shape", f"{path} must hold floats [N, H, W, 2], not {flows.dtype} {list(flows.shape)}")
    return np.asanyarray(flows)


class Estimated:
    """The flow between neighbouring frames of a video, by DIS (Kroeger et al. 2016) at OpenCV's medium preset."""

    def __init__(self, clip: SampleVideos, key: str) -> None:
        track = clip.tracks[key]
        if min(track.height, track.width) < LEAST_SIDE:
            raise Skipped("shape", f"DIS needs frames of {LEAST_SIDE}x{LEAST_SIDE}, not {track.height}x{track.width}")
        self._key = key
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._last: Any = None

    def read(self, chunk: Chunk) -> Iterator[Flow]:
        """The flow into each frame of a chunk but the clip's first, float32 ``[H, W, 2]``."""
        for frame in chunk.tracks[self._key]:
            grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
            before, self._last = self._last, grey
            if before is not None:
                yield np.asarray(self._dis.calc(before, grey, None), np.float32)


class Controlled:
    """The flow that a sample's ``actions`` should give under its ``calibration``.

    Args:
        sample: Both are mappings, or JSON files of them. ``actions``: ``keyboard`` ``[N, 4 or 6]`` (W, S, A, D, turn
            left, turn right) and ``mouse`` ``[N, 2]`` (pitch, yaw); the i-th drives the flow from frame i to i + 1.
        params: ``parity=peer`` does not scale the calibration to the frames.

    Raises:
        Skipped: They cannot be read, or are of other shapes.
    """

    def __init__(self, sample: Sample, params: FlowParams) -> None:
        self._peer = params.parity == "peer"
        actions = _mapping(sample, "actions")
        sign = sample.keys.get("mouse_pitch_sign")
        try:
            self._calibration = Calibration.of(_mapping(sample, "calibration"))
            keyboard, mouse = (np.asarray(actions[name]) for name in ("keyboard", "mouse"))
            self._motion = camera_motion(keyboard, mouse, self._calibration, 1 if sign is None else int(sign))
        except KeyError as error:
            raise Skipped("missing_input", f"the actions have no {error.args[0]}") from error
        except (TypeError, ValueError) as error:
            raise Skipped("shape", str(error)) from error
        self._steps = len(keyboard)

    @property
    def most(self) -> int:
        """Pairs of frames that have an action. FastVideo leaves the last one out."""
        return self._steps - self._peer

    def flow(self, pair: int, height: int, width: int) -> Flow:
        """The flow of one pair of frames, float32 ``[H, W, 2]``."""
        try:
            calibration = self._calibration if self._peer else self._calibration.at(height, width)
        except ValueError as error:
            raise Skipped("shape", str(error)) from error
        here = slice(pair, pair + 1)
        motion = CameraMotion(self._motion.rotation[here], self._motion.translation[here])
        return np.asarray(reference_flows(motion, calibration.focal_length, height, width)[0])

    def usable(self, pairs: int) -> int:
        """How many of ``pairs`` pairs of frames have an action and are compared.

        Raises:
            Skipped: There are not as many actions as pairs or frames.
        """
        if self._peer:
            return max(min(pairs, self.most), 0)
        if self._steps not in (pairs, pairs + 1):
            raise Skipped("shape", f"{pairs + 1} frames need {pairs} or {pairs + 1} actions, not {self._steps}")
        return pairs


def _mapping(sample: Sample, key: str) -> Mapping[str, Any]:
    value = sample.keys[key]
    if isinstance(value, Path):
        try:
            value = read_json(value)
        except UsageError as error:
            raise Skipped("unreadable", f"{key}: {error.message}") from error
    if not isinstance(value, Mapping):
        raise Skipped("shape", f"{key} must be a mapping, not {type(value).__name__}")
    return value
