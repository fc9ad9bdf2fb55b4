# SPDX-License-Identifier: Apache-2.0
"""A bare Debian with ``python3`` and ``make`` in a folder, and commands that run in it as on a machine of its own.

It is of the release that this machine has and takes packages from the same places: apt's mirrors, pip's indexes and
local folders. Every command has mount and process namespaces of its own. So when it ends, however that is, nothing is
mounted and nothing runs, and the folder can be deleted.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT, Command

HOME = "/home/dev"
_CERTIFICATES = "/etc/pip-certificates.crt"  # installing packages renews those of the system
_APT = re.compile(r"Acquire::(Check-|https?|Retries|Languages)")
_ALONE = ("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class BareDebian:
    """A root folder with a user ``dev``, who has a copy of the checkout in ``/home/dev/fvhydra``.

    with BareDebian(folder) as debian:
        debian.run("make demo", timeout_s=900)
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._shared = _pip_folders()

    def __enter__(self) -> BareDebian:
        try:
            self._build()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def _build(self) -> None:
        release = platform.freedesktop_os_release()["VERSION_CODENAME"]
        settings = [line for line in _output("apt-config", "dump").splitlines() if _APT.match(line)]
        options = [f"--aptopt={line.rstrip(';')}" for line in settings]
        build = ["mmdebstrap", "--quiet", "--variant=apt", "--include=python3,make", *options]
        subprocess.run([*build, release, self.root, *_mirrors(release)], check=True)
        for path in ("/etc/resolv.conf", "/etc/hosts", *_pip_files()):
            self._copy(Path(path), path.replace(f"{Path.home()}/", f"{HOME}/"))
        for name, value in _pip_settings():
            if name == "cert":
                self._copy(Path(value), _CERTIFICATES)
        self._copy_checkout()

    def remove(self) -> None:
        """Delete the folder; nothing is mounted in it any more."""
        subprocess.run(["rm", "-rf", "--one-file-system", self.root], check=True)

    def run(self, command: str, timeout_s: float, user: str = "dev") -> Command:
        """Run a command of the shell in the checkout."""
        pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        if Path(f"{self.root}{_CERTIFICATES}").exists():
            pip["PIP_CERT"] = _CERTIFICATES
        environment = [f"PATH={_PATH}", f"HOME={HOME}", "LANG=C.UTF-8", *(f"{key}={pip[key]}" for key in pip)]
        inside = ["env", "-i", *environment, "sh", "-c", f"cd ~/fvhydra && {command}"]
        enter = [*self._mounts(), shlex.join(["exec", "chroot", f"--userspec={user}", str(self.root), *inside])]
        done = subprocess.run(
            [*_ALONE, "sh", "-e", "-c", "\n".join(enter)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Command(done.returncode, done.stdout, done.stderr)

    def _mounts(self) -> list[str]:
        """Commands of the shell that make a machine of the folder, for those who share their namespace."""
        root = shlex.quote(str(self.root))
        lines = [
            f"mount --bind {root} {root}",  # the root of a machine is a mount, and some programs change what it shares
            f"mount -t proc proc {root}/proc",
            f"mount --rbind /sys {root}/sys",
            f"mount --rbind /dev {root}/dev",
        ]
        for folder in self._shared:
            there = shlex.quote(f"{self.root}{folder}")
            lines.append(f"mkdir -p {there}; mount --bind {folder} {there}; mount -o remount,bind,ro {there}")
        return lines

    def _copy(self, path: Path, there: str) -> None:
        target = Path(f"{self.root}{there}")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)

    def _copy_checkout(self) -> None:
        """What git tracks, as it is now, and what it would take."""
        listed = _output("git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        for name in listed.rstrip("\0").split("\0"):
            if (ROOT / name).exists():
                there = Path(f"{self.root}{HOME}/fvhydra/{name}")
                there.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, there)
        subprocess.run(["chroot", self.root, "useradd", "dev"], check=True)
        subprocess.run(["chroot", self.root, "chown", "-R", "dev:", HOME], check=True)


def _mirrors(release: str) -> list[Path]:
    """The lists of apt that have this release, and not packages of others for it."""
    lists = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    named = re.compile(rf"(?<![\w-]){release}(?=\s)")
    return [
        path
        for path in lists
        if path.suffix in (".list", ".sources") and path.is_file() and named.search(path.read_text(encoding="utf-8"))
    ]


def _pip_files() -> list[str]:
    """Settings of pip on this machine, and the constraints that they name."""
    files = re.findall(r"^ *(/\S+), exists: True$", _output(sys.executable, "-m", "pip", "config", "debug"), re.M)
    return [*files, *(value for name, value in _pip_settings() if name == "constraint")]


def _pip_folders() -> list[Path]:
    """Local folders of packages that those settings name. An index refers to files beside it."""
    values = [value for name, value in _pip_settings() if name != "cert"]
    folders = {Path(value) for value in values if Path(value).is_dir()}
    indexes = {Path(value[7:]).parent for value in values if value.startswith("file://")}
    return sorted(folders | {path for path in indexes if path.is_dir()})


def _pip_settings() -> Iterator[tuple[str, str]]:
    """Name, such as ``find-links``, and value; several values one by one."""
    for line in _output(sys.executable, "-m", "pip", "config", "list").splitlines():
        name, _, values = line.partition("=")
        for value in values.strip("'").split():
            yield name.rpartition(".")[2], value


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
