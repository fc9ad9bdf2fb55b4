# SPDX-License-Identifier: Apache-2.0
"""A container: the SDK's entry point as a child process, in namespaces and a root folder of its own.

* The system's folders and those of the interpreter are there, read-only. Of the rest of this machine nothing is.
* What is written outside of a Volume is lost with the container.
* Its environment is that of the image, and the Secrets.
* When the server dies, its containers do too, with everything they have started.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path

_ENTER = r"""
set -e
folder="$1"; root="$1/root"
mkdir -p "$root"; mount -t tmpfs -o mode=755 tmpfs "$root"
for path in /usr /bin /sbin /lib /lib64 /etc /opt $INTERPRETER; do
  if [ -L "$path" ]; then ln -s "$(readlink "$path")" "$root$path"
  elif [ -d "$path" ]; then
    mkdir -p "$root$path"; mount --rbind "$path" "$root$path"; mount -o remount,ro,bind "$root$path" || true
  fi
done
cd "$root"; mkdir -p proc dev sys root home var/tmp run modal tmp; chmod 1777 tmp var/tmp
mount -t proc proc proc; mount --rbind /dev dev; mount --rbind /sys sys
mount --bind "$INSIDE" modal
cp -a "$folder/layers/." .
while IFS="$(printf '\t')" read -r source target; do
  mkdir -p "$root$target"; mount --bind "$source" "$root$target"
done < "$folder/binds"
exec env -i /usr/sbin/chroot "$root" /bin/sh /modal/start.sh
"""


@dataclass
class Container:
    """What to start, prepared in ``folder``.

    Attributes:
        inside: The folder that the container sees as ``/modal``. Its path is short: a socket's may have 107 bytes.
        binds: Folders of this machine, with their path inside.
    """

    folder: Path
    inside: Path
    environment: dict[str, str] = field(default_factory=dict)
    workdir: str = "/root"
    binds: list[tuple[Path, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "layers" / "root").mkdir(parents=True)
        self.inside.mkdir()

    def add_file(self, path: str, source: Path, mode: int) -> None:
        """Put a file of the image in place."""
        target = self.folder / "layers" / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        if mode:
            target.chmod(mode)

    async def start(self) -> asyncio.subprocess.Process:
        """Run the entry point."""
        exports = [f"export {key}={shlex.quote(value)}" for key, value in self.environment.items()]
        command = shlex.join([sys.executable, "-m", "modal._container_entrypoint"])
        script = [*exports, f"cd {shlex.quote(self.workdir)}", command, "exit $?", ""]
        (self.inside / "start.sh").write_text("\n".join(script))
        (self.folder / "binds").write_text("".join(f"{source}\t{target}\n" for source, target in self.binds))
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        return await asyncio.create_subprocess_exec(
            *("setpriv", "--pdeathsig", "KILL"),
            *("unshare", *user, "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--propagation", "private"),
            *("/bin/sh", "-c", _ENTER, "enter", str(self.folder)),
            env={"PATH": os.environ["PATH"], "INTERPRETER": " ".join(_interpreter()), "INSIDE": str(self.inside)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )


def send(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """Signal the entry point; SIGKILL takes the whole container."""
    if process.returncode is not None:
        return
    with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError):
        if number == signal.SIGKILL:
            process.kill()
        else:
            (init,) = _children(process.pid)
            for pid in _children(init):
                os.kill(pid, number)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _interpreter() -> list[str]:
    """The folders of the interpreter that are no part of the system."""
    executable = Path(sys.executable)
    folders = {executable.parent.parent, executable.resolve().parent.parent}
    return sorted(str(folder) for folder in folders - {Path("/usr"), Path("/")})
