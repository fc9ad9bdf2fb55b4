# SPDX-License-Identifier: Apache-2.0
"""Reading pictures."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fvhydra.core.errors import MediaError
from fvhydra.core.files import atomic_path
from fvhydra.media.limits import MOST_PIXELS, check_pixels, media_file

Frame = NDArray[np.uint8]
"""uint8 ``[H, W, 3]``, RGB, full range."""

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
"""Pillow's names. It knows many more by their content, PostScript among them, which is a program."""

_WIDE = ("I;16", "I;16B", "I;16L")
_DEEP = ("I", "F")

# Pillow warns of sizes that are refused here anyhow, and of tags that nobody asks for; and logs what it then raises
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())


def read_image(path: Path) -> Frame:
    """Read a picture as uint8 ``[H, W, 3]`` RGB, turned as its EXIF orientation says.

    Transparency is dropped; of 16 bits, grey or colour, the upper eight are kept.

    Raises:
        MediaError: Missing, no regular file, too large, damaged, or no PNG, JPEG, WebP, BMP or TIFF.
    """
    from PIL import Image, ImageOps

    media_file(path, "image")
    try:
        with Image.open(path, formats=_FORMATS) as header:
            check_pixels(path, header.height, header.width)
            if header.mode in _DEEP:
                raise MediaError(f"{path} has values of 32 bits; pictures of 8 and 16 bits are read.")
            picture = ImageOps.exif_transpose(header)
            if picture.mode not in _WIDE:
                return np.array(picture.convert("RGB"))
            grey = (np.asarray(picture) >> 8).astype(np.uint8)
            return np.repeat(grey[..., np.newaxis], 3, axis=-1)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise MediaError(f"{path} has more pixels than the {MOST_PIXELS:,} that are read (8192x8192).") from error
    except (OSError, SyntaxError, ValueError, Warning) as error:  # what Pillow raises for broken files
        raise MediaError(f"{path} is not a readable image (PNG, JPEG, WebP, BMP or TIFF).") from error


def write_png(path: Path, frame: Frame) -> None:
    """Write a frame without loss, atomically. Equal frames give equal bytes (same Pillow and zlib).

    Args:
        path: The file to write; its name should end in ``.png``.
        frame: uint8 ``[H, W, 3]`` RGB.
    """
    from PIL import Image

    with atomic_path(path, suffix=".png") as temporary:
        Image.fromarray(frame).save(temporary, format="PNG")


def made_up_picture(height: int, width: int, seed: int) -> Frame:
    """A picture for where none is given: two colours that run into each other, and discs. uint8 ``[H, W, 3]``.

    Integers only, so that it is the same on every machine.
    """
    rng = np.random.Generator(np.random.Philox(key=seed))
    rows, columns = np.mgrid[0:height, 0:width].astype(np.int64)
    corners = rng.integers(30, 226, (2, 3))
    along = (rows * width + columns * height)[..., np.newaxis]
    picture = (corners[0] * (2 * height * width - along) + corners[1] * along) // (2 * height * width)
    for _ in range(6):
        y, x = rng.integers(0, height), rng.integers(0, width)
        radius, colour = rng.integers(2, max(min(height, width) // 5, 3)), rng.integers(0, 256, 3)
        picture[(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] = colour
    return np.asarray(picture, np.uint8)
