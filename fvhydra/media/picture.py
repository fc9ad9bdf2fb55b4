# SPDX-License-Identifier: Apache-2.0
"""Reading pictures."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fvhydra.core.errors import MediaError
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
