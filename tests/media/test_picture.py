# SPDX-License-Identifier: Apache-2.0
"""Pictures of all depths and orientations."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from fvhydra.core.errors import MediaError
from fvhydra.media.picture import read_image


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_of_16_bits_the_upper_eight_are_kept(tmp_path: Path, channels: int) -> None:
    """Pillow makes white of grey: what is above 255 is 255."""
    ramp = np.linspace(0, 65535, 64 * 96).round().astype(np.uint16).reshape(64, 96)
    path = tmp_path / "deep.png"
    cv2.imwrite(str(path), ramp if channels == 1 else np.stack([ramp] * channels, axis=-1))
    found = read_image(path)
    assert (found.dtype, found.shape) == (np.uint8, (64, 96, 3))
    assert found.mean() == pytest.approx(127.5, abs=0.01)
    np.testing.assert_array_equal(found, np.repeat((ramp >> 8)[..., None], 3, axis=-1))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["RGB", "L", "I;16", "P", "RGBA"])
def test_every_orientation_is_turned_back(tmp_path: Path, kind: str, orientation: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    if kind == "I;16":
        picture = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    else:
        picture = Image.fromarray(pixels).convert(kind)
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(tmp_path / "turned.png", exif=exif)
    eight = Image.fromarray(pixels[..., 0]) if kind == "I;16" else picture
    eight.getexif()[0x0112] = orientation
    wanted = np.asarray(ImageOps.exif_transpose(eight).convert("RGB"))
    np.testing.assert_array_equal(read_image(tmp_path / "turned.png"), wanted)


def test_values_that_are_no_picture_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 0.5, np.float32)).save(tmp_path / "float.tiff")
    with pytest.raises(MediaError, match="has values of 32 bits"):
        read_image(tmp_path / "float.tiff")


@pytest.mark.parametrize("kind", ["eps", "ppm", "tga", "ico"])
def test_what_pillow_knows_beside_pictures_is_refused_whatever_its_name(tmp_path: Path, kind: str) -> None:
    """PostScript, for one, is a program that is run by whoever opens it."""
    Image.new("RGB", (16, 16)).save(tmp_path / f"a.{kind}")
    (tmp_path / f"a.{kind}").rename(tmp_path / "a.png")
    with pytest.raises(MediaError, match="is not a readable image"):
        read_image(tmp_path / "a.png")
