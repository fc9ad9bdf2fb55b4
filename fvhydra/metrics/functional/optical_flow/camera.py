# SPDX-License-Identifier: Apache-2.0
"""The flow that keys and mouse should give: a camera that turns and moves before a wall at depth 1.

Longuet-Higgins and Prazdny, "The interpretation of a moving retinal image" (1980), with calibrated gains. The camera
looks along z; x is to the right, y down.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """How a model's camera answers to its controls.

    Attributes:
        alpha_yaw: Turn to the right, rad a unit of mouse yaw.
        alpha_pitch: Turn, rad a unit of mouse pitch.
        alpha_turn: Turn to the right, rad a frame of the key.
        beta_fwd: Depths a frame of the key.
        beta_strafe: Depths a frame of the key.
        focal_length: px.
        r_z: How far the camera is behind the figure around which it turns, in depths.
        r_y: How far below.
        init_pitch: rad.
        frame_shape: Rows and columns of the frames that it was fitted to, if known.
    """

    alpha_yaw: float
    alpha_pitch: float
    alpha_turn: float
    beta_fwd: float
    beta_strafe: float
    focal_length: float
    r_z: float = 0.0
    r_y: float = 0.0
    init_pitch: float = 0.0
    frame_shape: tuple[int, int] | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Calibration:
        """Read a calibration file's mapping; keys about the fit, such as ``notes``, are left out.

        Raises:
            ValueError: A gain or the focal length is missing, or is no number.
        """
        known = {field.name: field for field in dataclasses.fields(cls)}
        missing = [name for name, field in known.items() if field.default is dataclasses.MISSING and name not in values]
        if missing:
            raise ValueError(f"the calibration lacks {', '.join(missing)}")
        found = {name: value for name, value in values.items() if name in known}
        shape = found.pop("frame_shape", None)
        if wrong := [name for name, value in found.items() if not isinstance(value, int | float)]:
            raise ValueError(f"the calibration's {', '.join(wrong)} must be numbers")
        if not found["focal_length"] > 0:
            raise ValueError(f"the calibration's focal_length must be above 0, not {found['focal_length']}")
        return cls(**found, frame_shape=tuple(shape) if shape else None)

    def at(self, height: int, width: int) -> Calibration:
        """For frames of another size than those that it was fitted to: the focal length grows with the width.

        FastVideo's evaluation does not do this: it applies a calibration for 640 columns to any.

        Raises:
            ValueError: The frames are of another shape, not only of another size (beyond one part in fifty).
        """
        if self.frame_shape is None:
            return self
        rows, columns = self.frame_shape
        if abs(height / width * columns / rows - 1) > 0.02:
            raise ValueError(f"the calibration is for frames of {rows}x{columns}, not of the shape of {height}x{width}")
        focal_length = self.focal_length * width / columns
        return dataclasses.replace(self, focal_length=focal_length, frame_shape=(height, width))


@dataclass(frozen=True)
class CameraMotion:
    """Of each frame: ``rotation`` in rad and ``translation`` in depths, float64 ``[N, 3]``."""

    rotation: Array
    translation: Array


def camera_motion(
    keyboard: NDArray[Any], mouse: NDArray[Any], calibration: Calibration, pitch_sign: int = 1, orbit: bool = True
) -> CameraMotion:
    """What the controls of each frame do to the camera.

    ``w = (alpha_pitch pitch sign, alpha_yaw yaw + alpha_turn (right - left), 0)`` and
    ``T = (beta_strafe (D - A), 0, beta_fwd (W - S)) - w x (0, r_y, r_z)``.

    Args:
        keyboard: ``[N, 4 or 6]``: W, S, A, D, turn left, turn right, each 0 or 1.
        mouse: ``[N, 2]``: pitch and yaw.
        calibration: Its gains.
        pitch_sign: -1 where the model's mouse is inverted.
        orbit: False leaves out that the camera turns around a figure before it.

    Raises:
        ValueError: Other shapes, or a sign that is none.

    Example:
        >>> gains = Calibration(0.1, 0.1, 0.0, 0.5, 0.5, focal_length=100.0)
        >>> forward_right = np.array([[1, 0, 0, 1]])
        >>> motion = camera_motion(forward_right, np.array([[0.0, 2.0]]), gains, orbit=False)
        >>> motion.rotation.tolist(), motion.translation.tolist()
        ([[0.0, 0.2, 0.0]], [[0.5, 0.0, 0.5]])
    """
    if keyboard.ndim != 2 or keyboard.shape[1] not in (4, 5, 6) or mouse.shape != (len(keyboard), 2):
        shapes = f"{list(keyboard.shape)} and {list(mouse.shape)}"
        raise ValueError(f"actions are keyboard [N, 4 or 6] and mouse [N, 2], not {shapes}")
    if pitch_sign not in (1, -1):
        raise ValueError(f"the sign of the pitch is 1 or -1, not {pitch_sign}")
    keys, (pitch, yaw) = keyboard.astype(np.float64).T, mouse.astype(np.float64).T
    turn = keys[5] - keys[4] if len(keys) == 6 else np.zeros(len(keyboard))
    zeros = np.zeros(len(keyboard))
    rotation = np.stack(
        [
            calibration.alpha_pitch * pitch * pitch_sign,
            calibration.alpha_yaw * yaw + calibration.alpha_turn * turn,
            zeros,
        ],
        axis=1,
    )
    walk = calibration.beta_strafe * (keys[3] - keys[2]), zeros, calibration.beta_fwd * (keys[0] - keys[1])
    translation = np.stack(walk, axis=1)
    if orbit:
        translation = translation - np.cross(rotation, [0.0, calibration.r_y, calibration.r_z])
    return CameraMotion(rotation, translation)


def pitched(motion: CameraMotion, pitch_rad: Array) -> CameraMotion:
    """Motion of a camera that looks up or down by ``pitch_rad`` ``[N]``: walking forward moves along y and z.

    The inclined form of FastVideo's calibration fit, for a ``motion`` without orbit.

    Raises:
        ValueError: Not one pitch a frame.

    Example:
        >>> level = CameraMotion(np.zeros((1, 3)), np.array([[0.0, 0.0, 1.0]]))
        >>> pitched(level, np.array([np.pi / 2])).translation.round(9).tolist()
        [[0.0, 1.0, 0.0]]
    """
    if pitch_rad.shape != motion.translation.shape[:1]:
        raise ValueError(f"{len(motion.translation)} frames need as many pitches, not {list(pitch_rad.shape)}")
    x, _, forward = motion.translation.T
    translation = np.stack([x, forward * np.sin(pitch_rad), forward * np.cos(pitch_rad)], axis=1)
    return CameraMotion(motion.rotation, translation)


def integrated_pitch(mouse: NDArray[Any], calibration: Calibration, frames_per_step: int = 1) -> Array:
    """The pitch before each step: ``init_pitch`` and all that was turned until then.

    Args:
        mouse: ``[N, 2]``: pitch and yaw.
        calibration: ``alpha_pitch`` and ``init_pitch``.
        frames_per_step: How many frames a step of the mouse lasts.

    Returns:
        float64 ``[N]``, rad.

    Example:
        >>> gains = Calibration(0.0, 0.1, 0.0, 0.0, 0.0, focal_length=100.0, init_pitch=0.5)
        >>> integrated_pitch(np.array([[1, 0], [2, 0], [0, 0]]), gains).round(9).tolist()
        [0.5, 0.6, 0.8]
    """
    turned = np.cumsum(calibration.alpha_pitch * mouse[:, 0].astype(np.float64) * frames_per_step)
    return np.asarray(calibration.init_pitch + np.concatenate([[0.0], turned[:-1]]))


def flow_at(motion: CameraMotion, focal_length: float, x: Array, y: Array) -> Array:
    """The optical flow at given points.

    ``u = (xy/f) w_x - (f + x^2/f) w_y + y w_z - f T_x + x T_z`` and
    ``v = (f + y^2/f) w_x - (xy/f) w_y - x w_z - f T_y + y T_z``.

    Args:
        motion: Of N frames.
        focal_length: f, px.
        x: Columns from the centre, px, any shape.
        y: Rows from the centre, px, of the same shape.

    Returns:
        float64 ``[N, *shape, 2]``, px a frame.

    Example:
        >>> forward = CameraMotion(np.zeros((1, 3)), np.array([[0.0, 0.0, 0.1]]))
        >>> flow_at(forward, 100.0, np.array([0.0, 50.0]), np.array([0.0, 20.0])).tolist()
        [[[0.0, 0.0], [5.0, 2.0]]]
    """
    parts = np.concatenate([motion.rotation, motion.translation], axis=1)
    wx, wy, wz, tx, ty, tz = parts.T.reshape(6, -1, *[1] * x.ndim)
    f = focal_length
    u = x * y / f * wx - (f + x**2 / f) * wy + y * wz - f * tx + x * tz
    v = (f + y**2 / f) * wx - x * y / f * wy - x * wz - f * ty + y * tz
    return np.stack([u, v], axis=-1)


def reference_flows(motion: CameraMotion, focal_length: float, height: int, width: int) -> NDArray[np.float32]:
    """The flow of every frame: the reference of ``optical_flow.synthetic_optical_flow``.

    Coordinates are the pixel's index less half of the size, as FastVideo has them, not the middle of the pixel.

    Args:
        motion: Of N frames; the i-th drives the flow from frame i to frame i + 1.
        focal_length: px, for frames of this width (see :meth:`Calibration.at`).
        height: Rows.
        width: Columns.

    Returns:
        float32 ``[N, H, W, 2]``.

    Example:
        >>> to_the_right = CameraMotion(np.zeros((2, 3)), np.array([[0.1, 0, 0]] * 2))
        >>> flows = reference_flows(to_the_right, focal_length=20.0, height=8, width=8)
        >>> flows.shape, flows[0, 0, 0].tolist()
        ((2, 8, 8, 2), [-2.0, 0.0])
    """
    y, x = np.mgrid[:height, :width].astype(np.float64)
    return flow_at(motion, focal_length, x - width / 2, y - height / 2).astype(np.float32)
