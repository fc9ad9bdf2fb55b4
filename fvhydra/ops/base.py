# SPDX-License-Identifier: Apache-2.0
"""The contract of an operation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

from fvhydra.config.op import OpConfig
from fvhydra.config.root import Config
from fvhydra.core.result import RunResult, SweepJob
from fvhydra.core.run import RunFolder
from fvhydra.engines.choice import devices_of
from fvhydra.ops.context import Context, Prepared
from fvhydra.ops.job_inputs import JobInputs, inputs_of_cases
from fvhydra.ops.port_evidence import Shown
from fvhydra.ops.watched import View


class Op(ABC):
    """An operation. It neither prints, exits nor reads the environment.

    ``preflight`` runs on the machine of the person, before anything is paid for. ``run`` runs anywhere: in this
    process, in a Slurm job, in a container. What then still needs a person or a write token (applying the change that
    ``run`` prepared) is done from the run folder, on the machine of the person.
    """

    writes_run_folder = True
    """Whether a run folder is made for it. Otherwise ``context.run`` is the folder that ``run=`` names."""

    uses_model = True
    """Whether it is about the model that ``model=`` names; otherwise that name is in no folder and no heading."""

    resumable = False
    """Whether ``run=`` names the folder of an interrupted run of the same job, which is then taken up where it stopped:
    its cases are generated through :func:`fvhydra.ops.generation.finish_cases`."""

    def model(self, config: Config) -> str:
        """Name of the model that the job is about; empty where it is about none."""
        return config.model.name if self.uses_model else ""

    def folder(self, config: Config) -> str:
        """What the folder around its run folders is called; empty where there is none."""
        return self.model(config)

    def earlier_run(self, config: Config, root: Path) -> RunFolder | None:
        """An earlier run that the same command takes up without being told; None where each begins a folder of its own.

        Args:
            config: The job.
            root: The folder of this op's runs, with those of :meth:`folder` in it.
        """
        return None

    attaches = False
    """Whether it is no job, and comes back to the jobs of the sweep that ``run=`` names instead."""

    follows = False
    """Whether it is no job, and looks at the runs of others for as long as they go on: :meth:`follow`."""

    def __init__(self, config: OpConfig) -> None:
        self.config = config

    def preflight(self, context: Context) -> None:  # noqa: B027  nothing to check is a fine default
        """Refuse early what cannot succeed.

        Raises:
            UsageError, StoreError: Nothing was generated or written.
        """

    def inputs(self, prepared: Prepared) -> dict[str, str]:
        """What decides the outcome beside the configuration: content hashes of the files that it names, by name.

        They are part of the job's fingerprint, so that no earlier verdict is kept when a file has changed.
        """
        return prepared.file_digests

    def gpus(self, config: Config) -> int:
        """GPUs that the job takes while it runs: what a launcher asks for and hands out; 0 for a job on the CPU."""
        return devices_of(config) if self.model(config) else 0

    def plan(self, context: Context) -> RunResult | None:
        """What is known before anything is generated, for ``dry_run=true``; None when nothing is.

        ``context.run`` is a scratch folder. A case that would be compared is ``done``; one that could not be has the
        verdict that the run would give it.
        """
        return None

    def resume_command(self, context: Context) -> list[str]:
        """The words that take up a run that was interrupted where it stopped; none where it begins again."""
        if not self.resumable:
            return []
        words = [word for word in context.command[1:] if not word.startswith(("run=", "resume="))]
        return [*words, f"run={context.run.path}"]

    def job_inputs(self, context: Context) -> JobInputs:
        """The job for a worker that sees no file of this machine, with the files that go with it.

        Raises:
            UsageError: Something that it reads cannot be read.
        """
        return inputs_of_cases(context.config, context.store)

    def unsendable(self, config: Config) -> list[str]:
        """What of the command names files that :meth:`job_inputs` leaves behind: ``key=value``."""
        return [
            f"{key}={value}"
            for key in ("run", "runs", "videos", "references", "manifest")
            if (value := getattr(config, key))
        ]

    is_shard = False
    """Whether the jobs of a sweep are parts of one answer, which :meth:`merge` then makes."""

    def merge(self, context: Context, jobs: Sequence[SweepJob]) -> RunResult:
        """One answer out of the jobs of a sweep, on the machine of the person, from their folders alone.

        Args:
            context: That of the first job, but for ``context.run``: a folder of its own for the answer, started,
                beside those of the jobs. What is returned is recorded and reported there.
            jobs: All jobs of this op, failed ones too; ``context.run.path.parent / job.folder`` is a job's run folder.
        """
        raise NotImplementedError

    def shown_of_port(self, context: Context, result: RunResult) -> list[Shown]:
        """What a run shows of the port of its model, for the state file, on the machine of the person.

        Args:
            context: Of the job; what is decided here comes from its configuration and from the result.
            result: What the run found out.
        """
        return []

    change_kinds: tuple[str, ...] = ()
    """Kinds of changes that it may leave for the store, see :data:`fvhydra.review.kinds.KINDS`."""

    early_confirmation = ""
    """What a person at a terminal must type before anything is generated. Nothing is written to a store either way."""

    def follow(self, context: Context) -> Iterator[View]:
        """What is seen of runs, again and again, until they have ended; of an op that :attr:`follows`."""
        raise NotImplementedError

    def concluded(self, view: View) -> RunResult:
        """What comes of the last of these views."""
        raise NotImplementedError

    @abstractmethod
    def run(self, context: Context) -> RunResult:
        """Do the work of the op. Writes below ``context.run.path`` only."""
