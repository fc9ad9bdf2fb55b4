# SPDX-License-Identifier: Apache-2.0
"""The configuration files of the cluster. Each line that is not the obvious one says why it is there."""

from __future__ import annotations

import getpass
import socket
import stat
import time
from dataclasses import dataclass
from pathlib import Path

USER = getpass.getuser()
"""Who runs all of it: nodes start jobs of nobody else, so that no root is needed."""

HOST = socket.gethostname().partition(".")[0]
NODES = ("n1", "n2")
GPUS = 2
CPUS = 8
MEMORY_MB = 64000

DATABASE = (
    f"--user={USER}",
    "--innodb-log-file-size=8M",
    "--innodb-data-file-path=ibdata1:4M:autoextend",
    "--innodb-autoextend-increment=4",
    "--innodb-temp-data-file-path=ibtmp1:4M:autoextend",
    "--innodb-undo-tablespaces=0",
    "--innodb-flush-method=nosync",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--innodb-buffer-pool-size=32M",
    "--innodb-lock-wait-timeout=900",
    "--debug-no-sync",
    "--sync-frm=0",
)
"""Options of mariadbd: small, and without a thought for power cuts."""


@dataclass(frozen=True)
class Ports:
    """Where the daemons listen, on 127.0.0.1."""

    slurmctld: int
    slurmdbd: int
    mariadbd: int
    nodes: tuple[int, ...]


def free_ports() -> Ports:
    """Ports that nobody listens on now."""
    sockets = [socket.socket() for _ in range(3 + len(NODES))]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    slurmctld, slurmdbd, mariadbd, *nodes = (each.getsockname()[1] for each in sockets)
    for each in sockets:
        each.close()
    return Ports(slurmctld, slurmdbd, mariadbd, tuple(nodes))


def write(folder: Path, ports: Ports, accounting: bool) -> None:
    """Write every configuration file, and the devices that stand for GPUs, below ``folder``."""
    for name in ("log", "state", "dev", "munge", "db", "mail", *(f"spool/{node}" for node in NODES)):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "munge").chmod(0o711)
    (folder / "slurm.conf").write_text(_slurm(folder, ports, accounting))
    # slurmd insists on a cgroup plugin; that of v1 touches nothing until something uses it
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
    # CUDA_VISIBLE_DEVICES is only set when File= names devices; a link to /dev/null will do, its number is what counts
    for index in range(GPUS):
        (folder / "dev" / f"gpu{index}").symlink_to("/dev/null")
    (folder / "gres.conf").write_text(f"Name=gpu Type=l40s File={folder}/dev/gpu[0-{GPUS - 1}]\n")
    mail = folder / "mail" / "program"
    mail.write_text(f'#!/bin/sh\necho "$@" >> {folder}/mail/sent\n')
    mail.chmod(0o755)
    if accounting:
        database = folder / "slurmdbd.conf"
        database.write_text(_slurmdbd(folder, ports))
        database.chmod(stat.S_IRUSR | stat.S_IWUSR)


def _slurm(folder: Path, ports: Ports, accounting: bool) -> str:
    nodes = "\n".join(
        f"NodeName={node} NodeHostname={HOST} NodeAddr=127.0.0.1 Port={port} CPUs={CPUS} RealMemory={MEMORY_MB} "
        f"Gres=gpu:l40s:{GPUS} Feature={node} State=UNKNOWN"
        for node, port in zip(NODES, ports.nodes, strict=True)
    )
    return f"""\
ClusterName=fixture
SlurmctldHost={HOST}(127.0.0.1)
SlurmctldPort={ports.slurmctld}
SlurmUser={USER}
SlurmdUser={USER}
AuthType=auth/munge
CredType=cred/munge
# how long a credential lives is also how long a requeued job waits before it starts again (default 120 s, least 5)
AuthInfo=socket={folder}/munge/socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/log/slurmctld.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdSpoolDir={folder}/spool/%n
SlurmdPidFile={folder}/log/%n.pid
SlurmdLogFile={folder}/log/%n.log
# believe this file about CPUs and memory, not the host
SlurmdParameters=config_overrides
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=100
GresTypes=gpu
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
PriorityType=priority/basic
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
SlurmctldTimeout=10
# a node that has not answered for this long is DOWN, and its jobs run again elsewhere
SlurmdTimeout=5
MessageTimeout=5
# from TERM to KILL, at a time limit or scancel
KillWait=3
JobRequeue=1
# a job's record is forgotten so long after its end, and only accounting knows of it
MinJobAge=20
# job ids of one cluster are not those of the next
FirstJobId={int(time.time()) % 60_000_000 + 1}
MailProg={folder}/mail/program
{_accounting(folder, ports) if accounting else "AccountingStorageType=accounting_storage/none"}
{nodes}
PartitionName=main Nodes=ALL Default=YES DefaultTime=60 MaxTime=600 State=UP PriorityTier=10
PartitionName=preemptible Nodes=ALL DefaultTime=60 MaxTime=600 State=UP PriorityTier=1
"""


def _accounting(folder: Path, ports: Ports) -> str:
    # with munge the "password" is the socket through which slurmdbd is met
    return f"""\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={ports.slurmdbd}
AccountingStoragePass={folder}/munge/socket
AccountingStorageTRES=gres/gpu"""


def _slurmdbd(folder: Path, ports: Ports) -> str:
    return f"""\
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
DbdHost={HOST}
DbdAddr=127.0.0.1
DbdPort={ports.slurmdbd}
SlurmUser={USER}
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={ports.mariadbd}
StorageUser=root
StoragePass=x
StorageLoc=slurm_acct_db
PidFile={folder}/log/slurmdbd.pid
LogFile={folder}/log/slurmdbd.log
DebugLevel=info
"""
