# SPDX-License-Identifier: Apache-2.0
"""What both sides of ``op=parity`` generated, kept in the run folder for its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from fvhydra.core import files
from fvhydra.core.case import Case
from fvhydra.core.parity import ParityCase
from fvhydra.core.run import RunFolder
from fvhydra.engines.base import GeneratedMedia
from fvhydra.ops.generation import write_artifact
from fvhydra.parity.maps import by_frame, difference_maps


def keep_outputs(run: RunFolder, made: Mapping[str, tuple[Case, GeneratedMedia]], found: ParityCase) -> ParityCase:
    """Write the clip or latent of each side, and maps of how they differ.

    Args:
        run: Gets ``sides/`` and ``maps/``.
        made: What was generated, by side, the official one first.
        found: What is known of the case.

    Returns:
        The same with the files that were written.
    """
    outputs, maps = {}, {}
    for side, (case, media) in made.items():
        latent = case.model.artifact == "latent"
        if (media.latent if latent else media.frames) is not None:
            path = run.path / "sides" / side / f"case_{found.index}{'.pt' if latent else '.mp4'}"
            write_artifact(path, case, media)
            outputs[side] = run.relative(path)
    official, candidate = (media for _, media in made.values())
    for name, values in difference_maps(official, candidate).items():
        path = run.path / "maps" / f"case_{found.index}_{name}.npy"
        with files.atomic_path(path, suffix=".npy") as temporary:
            np.save(temporary, values)
        maps[name] = run.relative(path)
    return replace(found, outputs=outputs, maps=maps, frames=by_frame(official, candidate))
