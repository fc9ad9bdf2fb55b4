"""What an op is given: nothing else may reach it, so that it runs the same on any machine."""

from __future__ import annotations

from dataclasses import dataclass

from fvhydra.config.root import Config
from fvhydra.core.progress import Progress
from fvhydra.core.run import RunFolder


@dataclass(frozen=True)
class Context:
    """The configuration, the folder to write to, and who listens to the progress."""

    config: Config
    run: RunFolder
    progress: Progress
