# SPDX-License-Identifier: Apache-2.0
"""First frames, read for an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fvhydra.core.errors import UsageError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

    from fvhydra.core.case import Case


def first_frame(case: Case) -> Picture | None:
    """The image that ``case`` begins with, RGB, at its own size; ``None`` where it has none.

    Raises:
        UsageError: The file is missing or is not an image.
    """
    if case.image is None:
        return None
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(case.image) as picture:
            return picture.convert("RGB")
    except FileNotFoundError as error:
        raise UsageError(f"There is no image {case.image} (case {case.index}).") from error
    except (UnidentifiedImageError, OSError) as error:
        raise UsageError(f"{case.image} is not a readable image (case {case.index}).") from error
