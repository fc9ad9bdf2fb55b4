# SPDX-License-Identifier: Apache-2.0
"""A generation with its memory and CPU time beside its times, measured in the process that the engine runs in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fvhydra.core.processes import PeakMemory, cpu_time_s
from fvhydra.core.progress import Progress
from fvhydra.engines.base import PROCESS_TREE, Engine, GeneratedMedia

if TYPE_CHECKING:
    from fvhydra.core.case import Case


def generate(engine: Engine, case: Case, progress: Progress) -> GeneratedMedia:
    """Generate one case. Where the engine tells no memory of devices, that of the processes is told."""
    peak, before_s = PeakMemory(), cpu_time_s()
    media = engine.generate(case, progress)
    if media.cpu_s is None:  # otherwise it was measured where it was generated
        media.cpu_s = cpu_time_s() - before_s
    if not media.memory_mb and (found := peak.mb()) is not None:
        media.memory_mb = {PROCESS_TREE: found}
    return media
