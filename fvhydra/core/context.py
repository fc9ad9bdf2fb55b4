# SPDX-License-Identifier: Apache-2.0
"""What an op is given: nothing else may reach it, so that it runs the same on any machine."""

from __future__ import annotations

from dataclasses import dataclass, field

from fvhydra.config.root import Config
from fvhydra.core.progress import Progress
from fvhydra.core.run import RunFolder


@dataclass(frozen=True)
class Context:
    """The configuration, the folder to write to, who listens to the progress, and what was typed.

    ``command`` is the whole command, ``overrides`` are those of this job (in a sweep, one value of each).
    """

    config: Config
    run: RunFolder
    progress: Progress
    command: list[str] = field(default_factory=list)
    overrides: list[str] = field(default_factory=list)
