# SPDX-License-Identifier: Apache-2.0
"""``launcher=``: where the jobs of a command run."""

from __future__ import annotations

from typing import Annotated, Any

from omegaconf import MISSING
from pydantic import Field
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import Name, NonNegative, NonNegativeFloat, Positive, PositiveFloat, doc, one_of


@dataclass
class LauncherConfig:
    """A launcher. ``_target_`` is a class with the contract of ``fvhydra.launch.base.Launcher``."""

    _target_: str = doc("Dotted path of the launcher's class", MISSING)
    name: Name = doc("The word after launcher=", MISSING)
    pass_env: list[str] = doc(
        "Tokens that jobs are given although they could write with them (HF_TOKEN)", factory=list, typed=True
    )
    sweeps: bool = doc("A command without -m is a sweep of one job", True)
    options: dict[str, Any] = doc("Settings that only this launcher knows", factory=dict)

    @property
    def same_environment(self) -> bool:
        """Whether jobs find the interpreters, packages and folders that are on this machine."""
        return True

    @property
    def same_machine(self) -> bool:
        """Whether jobs run on this machine, with its GPUs."""
        return self.same_environment


@dataclass
class PoolLauncherConfig(LauncherConfig):
    """Several at a time on this machine, each in a process of its own."""

    workers: NonNegative = doc("Most jobs at a time; 0: as many as fit", 0)
    devices: list[str] | None = doc("GPUs to use, by index or UUID; null: CUDA_VISIBLE_DEVICES, or all there are", None)
    cpus_per_job: NonNegative = doc("CPUs that a job is given; 0: runtime.threads", 0)
    memory_gb_per_job: NonNegativeFloat = doc("Memory to keep free for each job, GiB; 0: not looked at", 0.0)
    fail_fast: bool = doc("After the first job that fails start no other; those that run go on", False)
    grace_s: NonNegativeFloat = doc("Time that a job has to stop when it is asked to, s", 10.0)


@dataclass
class SlurmLauncherConfig(LauncherConfig):
    """Each job in an allocation of its own on a Slurm cluster, whose disks this machine shares."""

    partition: str | None = doc("Partition; null: the cluster's default", None)
    account: str | None = doc("Account that pays", None)
    qos: str | None = doc("Quality of service", None)
    constraint: str | None = doc("Features that a node must have", None)
    timeout_min: Positive = doc("Longest time for one job, min", 60)
    cpus_per_job: NonNegative = doc("CPUs that a job is given; 0: runtime.threads, one at least", 0)
    memory_gb_per_job: NonNegativeFloat = doc("Memory of a job, GiB; 0: the cluster's default", 0.0)
    gpus_by: Annotated[str, one_of("gres", "gpus")] = doc("Which option of sbatch asks for the GPUs of gpu=", "gres")
    gres: str | None = doc("Generic resources, as --gres= has them; null: the GPUs of gpu=", None)
    array_parallelism: Positive = doc("Most jobs at a time", 256)
    setup: list[str] = doc("Shell commands before the job: module load cuda", factory=list, typed=True)
    python: str | None = doc(
        "What starts Python there, in the shell's words; null: this command's interpreter", None, typed=True
    )
    mail_user: str | None = doc("Whom Slurm writes to", None)
    mail_type: str | None = doc("On which events Slurm writes: END,FAIL", None)
    requeue: bool = doc("Jobs that lose their node or are preempted run again", True)
    extra: dict[str, Any] = doc(
        "Further parameters of sbatch: +launcher.extra.reservation=tonight", factory=dict, typed=True
    )
    detach: bool = doc("Jobs go on when this command ends before them; op=attach comes back to them", False)
    poll_s: PositiveFloat = doc("How often Slurm is asked how the jobs are, s", 5.0)

    @property
    def same_environment(self) -> bool:
        return self.python is None

    @property
    def same_machine(self) -> bool:
        return False


@dataclass
class ModalImage:
    """What the containers of ``launcher=modal`` are made of."""

    registry: str = doc("Image of a registry, without its tag", MISSING, typed=True)
    tag: str | None = doc(
        "Tag of that image, CI's IMAGE_VERSION; null: Debian with the packages of this machine",
        None,
        variable="IMAGE_VERSION",
    )
    python: str | None = doc("Python to add to the image, as in 3.12; null: for Debian this machine's", None)
    packages: list[str] | None = doc(
        "What pip installs; null: what fvhydra needs and the image lacks", None, typed=True
    )
    commands: list[str] = doc(
        "Shell commands that finish the image, such as installing an engine", factory=list, typed=True
    )
    sources: list[str] = doc("Python packages of this machine to put there beside fvhydra", factory=list, typed=True)


@dataclass
class ModalLauncherConfig(LauncherConfig):
    """Each job in a container of its own on Modal, on the GPU that ``gpu=`` names."""

    app: Name = doc("Name of the app, for Modal's own pages", "fvhydra")
    image: ModalImage = doc("What the containers are made of", factory=ModalImage)
    env: dict[str, str | None] = doc(
        "Environment that is baked into the image, as CI does; recorded", factory=dict, typed=True
    )
    python: str | None = doc(
        "Interpreter of the image that runs the jobs; null: the one that Modal uses", None, typed=True
    )
    weights_volume: Name = doc("Volume that keeps downloaded weights", "hf-model-weights")
    outputs_volume: Name = doc("Volume that results are put on", "fvhydra-outputs")
    secrets: list[str] = doc(
        "Modal Secrets that jobs are given, by name: a token to read with", factory=list, typed=True
    )
    cpus_per_job: NonNegativeFloat = doc("CPU cores of a container; 0: Modal's default", 4.0)
    memory_gb_per_job: NonNegativeFloat | None = doc(
        "Memory of a container, GiB; null: 16, and 64 with a GPU; 0: Modal's default", None
    )
    timeout_s: PositiveFloat = doc("Longest time for one job, s", 5400.0)
    retries: Annotated[int, Field(ge=0, le=10)] = doc("How often a job is started again when its container is lost", 1)
    max_containers: Positive = doc("Most containers at a time, for each GPU type", 4)
    detach: bool = doc("Jobs go on when this command ends before them; op=attach comes back to them", False)
    patience_s: PositiveFloat = doc("How long to try when Modal cannot be reached, s", 600.0)

    @property
    def same_environment(self) -> bool:
        return False
