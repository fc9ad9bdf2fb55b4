# SPDX-License-Identifier: Apache-2.0
"""Starting and stopping the daemons, and the accidents that may befall them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.servers.slurm import settings
from tests.servers.slurm.daemon import Daemon

_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "setpriv")
_ACCOUNTING_PROGRAMS = ("mariadbd", "slurmdbd")
_TABLES = Path("/usr/share/mysql")


class Cluster:
    """See the package.

    Attributes:
        conf: What ``SLURM_CONF`` must be for whoever speaks to this cluster.
        accounting: Whether there is a database, and so ``sacct``.
    """

    def __init__(self, folder: Path, accounting: bool = True) -> None:
        self.folder = folder
        self.accounting = accounting
        self.conf = folder / "slurm.conf"
        path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
        self.environment = os.environ | {"SLURM_CONF": str(self.conf), "PATH": path}
        self.ports = settings.free_ports()
        self._daemons: dict[str, Daemon] = {}
        programs = _PROGRAMS + (_ACCOUNTING_PROGRAMS if accounting else ())
        if missing := [program for program in programs if not shutil.which(program, path=path)]:
            raise RuntimeError(f"not installed: {', '.join(missing)}; make test installs them")

    def __enter__(self) -> Cluster:
        settings.write(self.folder, self.ports, self.accounting)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self) -> None:
        self._start_munge()
        if self.accounting:
            self._start_database()
        self.start_controller()
        for node in settings.NODES:
            self.start_node(node)
        self._daemons["slurmctld"].wait_until(self._ready)

    def stop(self) -> None:
        """End every process of the cluster, jobs included; nobody reads again what they would save."""
        for name in reversed(list(self._daemons)):
            self._daemons.pop(name).kill()
        self._kill(lambda process: True)

    # ------------------------------------------------------------------ daemons
    def _daemon(self, name: str, *command: str) -> Daemon:
        self._daemons[name] = Daemon(name, command, self.folder / "log", self.environment)
        return self._daemons[name]

    def _start_munge(self) -> None:
        munge, key = self.folder / "munge", self.folder / "munge" / "key"
        key.touch(0o600)
        key.write_bytes(os.urandom(128))
        files = {"socket": "socket", "key-file": "key", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        options = [f"--{option}={munge / name}" for option, name in files.items()]
        # --force: folders that only their owner enters, as pytest makes them, are fine
        daemon = self._daemon("munged", "munged", "--foreground", "--force", *options)
        daemon.wait_until(lambda: self.succeeds("munge", "-n", "-S", str(munge / "socket")))

    def _start_database(self) -> None:
        data = self.folder / "db"
        options = ["--no-defaults", *settings.DATABASE, f"--datadir={data}"]
        tables = [(_TABLES / f"mysql_system_tables{part}.sql").read_text() for part in ("", "_data")]
        create = ["create database if not exists mysql;", "use mysql;", "SET @auth_root_socket=NULL;", *tables]
        bootstrap = ["--bootstrap", "--skip-networking", "--log-warnings=0", "--enforce-storage-engine="]
        subprocess.run(
            ["mariadbd", *options, *bootstrap, "--max-allowed-packet=8M"],
            input="\n".join([*create, "create database slurm_acct_db;\n"]),
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        where = ["--bind-address=127.0.0.1", f"--port={self.ports.mariadbd}", f"--socket={data}/socket"]
        open_to_all = ["--skip-grant-tables", "--skip-name-resolve", "--skip-log-bin"]
        daemon = self._daemon("mariadbd", "mariadbd", *options, *where, *open_to_all)
        daemon.wait_until(lambda: _listens(self.ports.mariadbd))
        self._daemon("slurmdbd", "slurmdbd", "-D").wait_until(lambda: _listens(self.ports.slurmdbd))

    def start_controller(self) -> None:
        """Start slurmctld, with what an earlier one knew."""
        self._daemon("slurmctld", "slurmctld", "-D", "-f", str(self.conf))

    def stop_controller(self) -> None:
        """As an administrator does to restart it: jobs run on, nobody answers."""
        self._daemons.pop("slurmctld").stop()

    def start_node(self, node: str) -> None:
        self._daemon(node, "slurmd", "-D", "-N", node, "-f", str(self.conf))

    def kill_node(self, node: str) -> None:
        """A node crashes: slurmd, its steps and all processes of jobs are gone at once."""
        self._daemons.pop(node).kill()
        self._kill(lambda process: process.node == node)

    def revive_node(self, node: str) -> None:
        """Bring a node back and wait until it takes jobs."""
        self.start_node(node)
        self._daemons[node].wait_until(self._ready)

    def _ready(self) -> bool:
        states = self.output("sinfo", "-h", "-N", "-p", "main", "-o", "%T").split()
        if len(states) < len(settings.NODES) or not set(states) <= {"idle", "mixed", "allocated"}:
            return False
        known = f"fixture|{self.ports.slurmctld}"
        return not self.accounting or known in self.output(
            "sacctmgr", "-n", "-P", "list", "cluster", "format=cluster,controlport"
        )

    # ------------------------------------------------------------------ commands
    def output(self, *command: str) -> str:
        """Standard output of a command, empty when it fails."""
        return self._run(*command).stdout

    def succeeds(self, *command: str) -> bool:
        return self._run(*command).returncode == 0

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=30, check=False)

    def add_account(self, name: str) -> None:
        """Let us use an account; Slurm silently takes the default one for those that it does not know."""
        assert self.succeeds("sacctmgr", "-i", "add", "account", name)
        assert self.succeeds("sacctmgr", "-i", "add", "user", settings.USER, f"account={name}")

    def sent_mail(self) -> str:
        """What the mail program was given so far: address and subject, one line a mail."""
        sent = self.folder / "mail" / "sent"
        return sent.read_text() if sent.exists() else ""

    # ------------------------------------------------------------------ processes
    def _kill(self, chosen: Callable[[_Process], bool]) -> None:
        """Steps and jobs are no children of ours: they outlive their slurmd."""
        end = time.monotonic() + 10
        while time.monotonic() < end and (left := [process for process in self._processes() if chosen(process)]):
            for process in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
            time.sleep(0.02)

    def _processes(self) -> Iterator[_Process]:
        """Those of jobs carry the node in their environment, slurmstepd has the node's log open."""
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (folder / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
                    continue  # dead; whose child it was may take its time to notice
                words = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
                environment = dict(word.partition("=")[::2] for word in words)
                node = environment.get("SLURMD_NODENAME")
                if node and environment.get("SLURM_CONF") == str(self.conf):
                    yield _Process(int(folder.name), node)
                for handle in (folder / "fd").iterdir():
                    log = handle.readlink()
                    if log.parent == self.folder / "log" and log.stem in settings.NODES and log.suffix == ".log":
                        yield _Process(int(folder.name), log.stem)


class _Process:
    def __init__(self, pid: int, node: str) -> None:
        self.pid, self.node = pid, node


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
