# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fvhydra.core.errors import MediaError
from fvhydra.report.heatmap import draw, read_heatmap


def pixels(uri: str) -> NDArray[np.uint8]:
    head, _, data = uri.partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))


def luminance(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Relative luminance of sRGB (IEC 61966-2-1)."""
    value = rgb / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    luminance: NDArray[np.float64] = linear @ np.array([0.2126, 0.7152, 0.0722])
    return luminance


def test_one_picture_a_frame_on_one_scale() -> None:
    values = np.zeros((3, 4, 5))
    values[1, 2, 3] = 0.5
    values[2] = 1.0
    heat = draw(values)
    assert (len(heat.tiles), heat.height, heat.width, heat.largest) == (3, 4, 5, 1.0)
    scale = pixels(heat.scale_uri)[0]
    low, middle, high = (pixels(tile.uri) for tile in heat.tiles)
    assert low.shape == (4, 5, 3)
    assert (low == scale[0]).all()
    assert (high == scale[-1]).all()
    assert (middle[2, 3] == scale[128]).all()
    assert [(tile.mean, tile.largest) for tile in heat.tiles] == [(0.0, 0.0), (0.025, 0.5), (1.0, 1.0)]


def test_a_larger_difference_is_always_lighter_in_equal_steps() -> None:
    scale = luminance(pixels(draw(np.ones((1, 1, 1))).scale_uri)[0])
    lightness = np.cbrt(scale)  # of CIELAB, nearly: what OKLab models too
    steps = np.diff(lightness[::16])
    assert (np.diff(lightness[::4]) > 0).all()
    assert steps.max() < 2.5 * steps.min()


def test_values_that_are_not_finite_have_a_colour_of_their_own() -> None:
    values = np.ones((1, 2, 2))
    values[0, 0] = np.nan, np.inf
    heat = draw(values)
    picture = pixels(heat.tiles[0].uri)
    assert heat.not_finite == 2
    assert heat.largest == 1.0
    assert (picture[0, 0] == picture[0, 1]).all()
    assert not (pixels(heat.scale_uri)[0] == picture[0, 0]).all(axis=-1).any()
    assert draw(np.full((1, 2, 2), np.nan)).tiles[0].mean is None


def test_identical_latents_are_dark_and_divide_by_nothing() -> None:
    heat = draw(np.zeros((2, 3, 3)))
    assert heat.largest == 0.0
    assert luminance(pixels(heat.tiles[0].uri)).max() < 0.01


def test_fewer_axes_are_a_single_picture(tmp_path: Path) -> None:
    for shape, drawn in (((7,), (1, 7)), ((5, 7), (5, 7)), ((9, 1, 1), (1, 9))):
        np.save(tmp_path / "map.npy", np.ones(shape, np.float32))
        heat = read_heatmap(tmp_path / "map.npy")
        assert (len(heat.tiles), heat.height, heat.width) == (1, *drawn)


@pytest.mark.parametrize("content", [np.ones((1, 2, 3, 4)), np.ones((2, 2), np.int64), np.zeros((0, 2, 2)), None])
def test_other_files_are_refused(content: NDArray[np.float64] | None, tmp_path: Path) -> None:
    path = tmp_path / "map.npy"
    if content is None:
        np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    else:
        np.save(path, content)
    with pytest.raises(MediaError, match=r"map\.npy is not a difference map"):
        read_heatmap(path)
