# SPDX-License-Identifier: Apache-2.0
"""First frames, read for an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fvhydra.core.errors import MediaError, UsageError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

    from fvhydra.core.case import Case


def first_frame(case: Case) -> Picture | None:
    """The image that ``case`` begins with, RGB, at its own size; ``None`` where it has none.

    Raises:
        UsageError: The file is missing, is not an image, or is too large.
    """
    if case.image is None:
        return None
    from PIL import Image

    from fvhydra.media.picture import read_image

    try:
        return Image.fromarray(read_image(case.image))
    except MediaError as error:
        raise UsageError(f"{error.message.removesuffix('.')} (case {case.index}).", error.hint) from error
