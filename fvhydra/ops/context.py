# SPDX-License-Identifier: Apache-2.0
"""What an op is given: nothing else may reach it, so that it runs the same on any machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

from fvhydra.config.prompts import Prompt
from fvhydra.config.root import Config
from fvhydra.core.case import Case
from fvhydra.core.errors import UsageError
from fvhydra.core.memo import Memo
from fvhydra.core.progress import Progress
from fvhydra.core.run import RunFolder
from fvhydra.ops.cases import cases, file_digests
from fvhydra.ops.prompts import prompts
from fvhydra.stores.base import Store
from fvhydra.stores.choice import open_store


class Prepared:
    """What a job works with, each part made when it is first asked for and then kept for the whole of the job.

    Deciding whether two jobs are the same, the checks before a job, and the job itself all use this one object, so
    prompts and pictures are read once, and the store is opened once.

    Args:
        config: The job's configuration.
        shared: What all jobs of a command have in common, such as the samples that they score shards of.
    """

    def __init__(self, config: Config, shared: Memo | None = None) -> None:
        self.config = config
        self.shared = Memo() if shared is None else shared
        self.own = Memo()
        """For what only this job's op works with."""

    @cached_property
    def prompts(self) -> list[Prompt]:
        """The prompts of the job.

        Raises:
            UsageError: See :func:`fvhydra.ops.prompts.prompts`.
        """
        return prompts(self.config)

    @cached_property
    def cases(self) -> list[Case]:
        """Every case of the job, in the order of its prompts.

        Raises:
            UsageError: See :func:`fvhydra.ops.cases.cases`.
        """
        return cases(self.config, self.prompts)

    @cached_property
    def file_digests(self) -> dict[str, str]:
        """Content hashes of the files that the prompts come from, see :func:`fvhydra.ops.cases.file_digests`."""
        try:
            given = self.prompts
        except UsageError:  # the checks of the job say so
            given = []
        return file_digests(self.config, given)

    @cached_property
    def store(self) -> Store:
        """The store that ``store=`` chose.

        Raises:
            UsageError: Its class or settings are none.
        """
        return open_store(self.config.store)


@dataclass(frozen=True)
class Context:
    """A job and its surroundings: what it works with, the folder to write to, who listens, and what was typed.

    Attributes:
        prepared: What the job works with.
        run: The folder to write to.
        progress: Hears of the progress.
        command: The whole command that was typed.
        overrides: Those of this job: in a sweep, one value of each.
        fingerprint: Asks for the job's: equal for jobs that must come to the same. It reads all that the job reads.
    """

    prepared: Prepared
    run: RunFolder
    progress: Progress
    command: list[str] = field(default_factory=list)
    overrides: list[str] = field(default_factory=list)
    fingerprint: Callable[[], str] = lambda: ""

    @property
    def config(self) -> Config:
        """The job's configuration."""
        return self.prepared.config

    @property
    def cases(self) -> list[Case]:
        """Every case of the job, see :attr:`Prepared.cases`."""
        return self.prepared.cases

    @property
    def store(self) -> Store:
        """The store that ``store=`` chose, see :attr:`Prepared.store`."""
        return self.prepared.store

    def aside(self) -> Context:
        """The same job, whose progress goes into the run folder alone, beside work that has the display."""
        return replace(self, progress=self.run)

    def within(self, run: RunFolder) -> Context:
        """The same job in another folder."""
        return replace(self, run=run)
