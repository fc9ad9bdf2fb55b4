# SPDX-License-Identifier: Apache-2.0
"""VBench's dimensions that count what GRiT detects in sixteen frames of a clip."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from fvhydra.metrics.functional.parity import Parity

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels."""

COLOURS = ("white", "red", "pink", "blue", "silver", "purple", "orange", "green", "gray", "yellow", "black", "grey")
_LEAST_OVERLAP = 0.1
_SIDES = {"left": 0, "right": 0, "top": 1, "bottom": 1}


@dataclass(frozen=True)
class Detection:
    """One box: a caption, or the name of a class, depending on GRiT's task."""

    description: str
    box: Box


@dataclass(frozen=True)
class Frame:
    """What GRiT finds in a frame.

    Attributes:
        detections: The boxes.
        classes: The names of all classes in the frame, in GRiT's order.
    """

    detections: Sequence[Detection]
    classes: Sequence[str]


@dataclass(frozen=True)
class Colour:
    """Of the frames that show the object, how many show it in its colour. ``score`` is None where none does.

    VBench leaves such clips out of the mean; FastVideo's evaluation scores them 0.
    """

    score: float | None
    object_detected: int
    color_correct: int


def object_class(frames: Sequence[Frame], name: str) -> float:
    """Share of the frames with the object; 0 to 1, higher is better.

    Raises:
        ValueError: No frames, or ``name`` is of several objects (``a and b``).

    Example:
        >>> object_class([Frame([], ["dog", "cat"]), Frame([], ["dog"])], "cat")
        0.5
    """
    if " and " in name:
        raise ValueError(f"{name!r} are several objects: see multiple_objects")
    return _share([name in frame.classes for frame in frames])


def multiple_objects(frames: Sequence[Frame], names: str) -> float:
    """Share of the frames with both objects; 0 to 1, higher is better.

    Args:
        frames: At least one.
        names: ``a and b``.

    Raises:
        ValueError: No frames, or ``names`` is of one object.

    Example:
        >>> multiple_objects([Frame([], ["dog", "cat"]), Frame([], ["dog"])], "cat and dog")
        0.5
    """
    first, separator, second = names.partition(" and ")
    if not separator:
        raise ValueError(f"{names!r} is one object: see object_class")
    return _share([first in frame.classes and second in frame.classes for frame in frames])


def color(frames: Sequence[Frame], colour: str, prompt: str, parity: Parity = "upstream") -> Colour:
    """Whether the object of a prompt has its colour.

    A frame shows the object when its first class is the object and a caption names any colour; in its colour when a
    caption names that one.

    Args:
        frames: With captions (GRiT's DenseCap) as descriptions.
        colour: ``red``.
        prompt: ``a red bicycle``; what is left without articles and colour is the object.
        parity: For a clip without the object, ``upstream`` has no score and ``peer`` 0.

    Example:
        >>> frame = Frame([Detection("a red bicycle", (0, 0, 9, 9))], ["bicycle"])
        >>> color([frame, frame], "red", "a red bicycle")
        Colour(score=1.0, object_detected=2, color_correct=2)
        >>> color([Frame([], ["dog"])], "red", "a red bicycle").score
    """
    name = prompt.replace("a ", "").replace("an ", "").replace(colour, "").strip()
    showing = [frame for frame in frames if frame.classes and frame.classes[0] == name]
    detected = sum(_names_any(frame, COLOURS) for frame in showing)
    correct = sum(_names_any(frame, [colour]) for frame in showing)
    if detected:
        return Colour(correct / detected, detected, correct)
    return Colour(0.0 if parity == "peer" else None, detected, correct)


def spatial_relationship(frames: Sequence[Frame], object_a: str, object_b: str, relation: str) -> list[float]:
    """How well each frame shows two objects beside, or above, each other: 0 to 1, the best of all pairs of boxes.

    Args:
        frames: With names of classes (GRiT's ObjectDet) as descriptions.
        object_a: A name.
        object_b: A name. VBench does not check which is which: two boxes of one object are a pair.
        relation: Ends with ``left of``, ``right of``, ``top of`` or ``bottom of``.

    Example:
        >>> cat, dog = Detection("cat", (0, 0, 10, 10)), Detection("dog", (20, 0, 30, 10))
        >>> spatial_relationship([Frame([cat, dog], []), Frame([cat], [])], "cat", "dog", "on the left of")
        [1.0, 0.0]
    """
    scores = []
    for frame in frames:
        boxes = [each.box for each in frame.detections if each.description in (object_a, object_b)]
        pairs = itertools.combinations(boxes, 2)
        scores.append(max((position_score(*pair, relation) for pair in pairs), default=0.0))
    return scores


def position_score(a: Box, b: Box, relation: str) -> float:
    """1 for boxes that lie along the axis of the relation, ``0.1 / IoU`` where they overlap by 0.1 or more, else 0.

    VBench does not check the direction: ``left of`` is ``right of``.

    Raises:
        ValueError: A relation without left, right, top or bottom.

    Example:
        >>> boxes = (0, 0, 10, 10), (20, 0, 30, 10)
        >>> position_score(*boxes, "left of"), position_score(*boxes, "top of")
        (1.0, 0.0)
    """
    axes = {axis for side, axis in _SIDES.items() if side in relation}
    if len(axes) != 1:
        raise ValueError(f"a relation has one of {', '.join(_SIDES)}, not {relation!r}")
    offsets = [abs((a[axis] + a[axis + 2]) - (b[axis] + b[axis + 2])) / 2 for axis in (0, 1)]
    axis = axes.pop()
    if offsets[axis] <= offsets[1 - axis]:
        return 0.0
    overlap = _iou(a, b)
    return 1.0 if overlap < _LEAST_OVERLAP else _LEAST_OVERLAP / overlap


def _iou(a: Box, b: Box) -> float:
    """Intersection over union; 0 for boxes without area, by which VBench divides."""
    width, height = (min(a[axis + 2], b[axis + 2]) - max(a[axis], b[axis]) for axis in (0, 1))
    inside = max(width, 0.0) * max(height, 0.0)
    union = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)) - inside
    return inside / union if union else 0.0


def _names_any(frame: Frame, words: Sequence[str]) -> bool:
    return any(word in each.description for word in words for each in frame.detections)


def _share(hits: Sequence[bool]) -> float:
    if not hits:
        raise ValueError("a share needs frames to count")
    return sum(hits) / len(hits)
