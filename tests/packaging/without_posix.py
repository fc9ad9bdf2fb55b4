# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.packaging.without_posix``: this Python without what only POSIX has, as far as one can take it away.

With ``import`` every module of fvhydra is imported; with anything else that is a command line of fvhydra.
"""

from __future__ import annotations

import os
import signal
import sys

OS_NAMES = (
    *("fork", "forkpty", "killpg", "getpgrp", "getpgid", "setsid", "setpgid", "getuid", "geteuid", "getgid", "getegid"),
    *("fchmod", "fchown", "chown", "mkfifo", "memfd_create", "sched_getaffinity", "sched_setaffinity", "statvfs"),
    *("O_NOFOLLOW", "O_NONBLOCK", "O_DIRECTORY", "O_CLOEXEC", "uname", "sysconf", "nice", "getloadavg", "openpty"),
    *("waitid", "wait", "wait3", "wait4", "pread", "pwrite", "sync", "getpriority", "ttyname", "tcgetpgrp"),
)
OF_THE_LIBRARY = ("uname", "statvfs", "sysconf")
"""Those that Python's own library took for granted when this system was found to be POSIX."""
SIGNAL_NAMES = (
    *("SIGKILL", "SIGHUP", "SIGCHLD", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGQUIT", "SIGSTOP", "SIGCONT", "SIGPIPE"),
    *("pthread_sigmask", "pthread_kill", "sigwait", "alarm", "setitimer", "pause"),
)
MODULES = ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "readline", "crypt")


def take_away() -> None:
    """Take the names away from this process."""
    for module, names in ((os, OS_NAMES), (signal, SIGNAL_NAMES)):
        for name in names:
            if hasattr(module, name) and name not in OF_THE_LIBRARY:
                delattr(module, name)
    for name in MODULES:
        sys.modules[name] = None  # type: ignore[assignment]  # importing it fails


def import_all() -> int:
    """Import every module of fvhydra, and tell of those that cannot be.

    First as usual: libraries have code of their own for Windows, which is not chosen here.
    """
    _import_each()
    take_away()
    for name in [name for name in sys.modules if name.partition(".")[0] == "fvhydra"]:
        del sys.modules[name]
    return _import_each()


def _import_each() -> int:
    import importlib
    import pkgutil

    import fvhydra

    failed = 0
    for found in pkgutil.walk_packages(fvhydra.__path__, "fvhydra."):
        if found.name.startswith("fvhydra.testing") or found.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(found.name)
        except Exception as error:
            failed += 1
            print(f"{found.name}: {type(error).__name__}: {error}")
    return failed


def main() -> int:
    if sys.argv[1:] == ["import"]:
        return import_all()
    import subprocess  # noqa: F401  which is other there

    take_away()
    from fvhydra.cli import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
