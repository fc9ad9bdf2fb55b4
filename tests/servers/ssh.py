# SPDX-License-Identifier: Apache-2.0
"""A real ``sshd`` of our own on 127.0.0.1, for the user who runs the tests.

    with SshServer(folder) as server:
        ...  # server.url("/path"), with server.key as the private key and server.known_hosts as the known hosts
        server.drop_connections()

Debian: ``apt-get install --no-install-recommends openssh-server openssh-client``.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

_SETTINGS = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile {folder}/sshd.pid
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
Subsystem sftp internal-sftp
"""


class SshServer:
    """``port`` stays the same when it is stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = folder / "user_key"
        self.user = getpass.getuser()
        for name in ("host_key", "user_key"):
            self._make_key(folder / name)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        (folder / "sshd_config").write_text(_SETTINGS.format(folder=folder, port=self.port))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> SshServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def known_hosts(self) -> str:
        """A line of ``~/.ssh/known_hosts``."""
        return f"[127.0.0.1]:{self.port} {(self.folder / 'host_key.pub').read_text()}"

    def url(self, path: Path) -> str:
        return f"sftp://{self.user}@127.0.0.1:{self.port}{path}"

    def start(self) -> None:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where it locks itself up before anybody has logged in
        program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        assert program, "no sshd"
        with open(self.folder / "sshd.log", "ab") as log:
            self._process = subprocess.Popen(
                [program, "-D", "-e", "-f", self.folder / "sshd_config"],
                stdin=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise AssertionError((self.folder / "sshd.log").read_text()) from None
                time.sleep(0.02)

    def stop(self) -> None:
        """End it and all of its connections."""
        self.drop_connections()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def drop_connections(self) -> None:
        """Cut everybody off who is connected, without a word."""
        assert self._process is not None
        for pid in _descendants(self._process.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def _make_key(self, path: Path) -> None:
        for old in (path, path.with_name(f"{path.name}.pub")):
            old.unlink(missing_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)


def _descendants(pid: int) -> list[int]:
    try:
        children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [one for child in children for one in (child, *_descendants(child))]
