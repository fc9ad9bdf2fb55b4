# SPDX-License-Identifier: Apache-2.0
"""A generation with its memory beside its times, measured in the process that the engine runs in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fvhydra.core.processes import PeakMemory
from fvhydra.core.progress import Progress
from fvhydra.engines.base import PROCESS_TREE, Engine, GeneratedMedia

if TYPE_CHECKING:
    from fvhydra.core.case import Case


def generate(engine: Engine, case: Case, progress: Progress) -> GeneratedMedia:
    """Generate one case. Where the engine tells no memory of devices, that of the processes is told."""
    peak = PeakMemory()
    media = engine.generate(case, progress)
    if not media.memory_mb and (found := peak.mb()) is not None:
        media.memory_mb = {PROCESS_TREE: found}
    return media
