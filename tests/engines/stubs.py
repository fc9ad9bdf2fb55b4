# SPDX-License-Identifier: Apache-2.0
"""An engine that misbehaves when it is told to. It imports the standard library, and can be run by any interpreter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from fvhydra.core.errors import MediaError, UsageError
from fvhydra.engines.base import Capabilities, Engine, GeneratedMedia, Trace, TracedTensor


class Stub(Engine):
    """Option ``how`` names what it does in a case whose seed is 13; every other case it gives what it is told of it."""

    capabilities = Capabilities(artifacts=("pixel",), traces=True, procedural=True, packages=("fvhydra_absent", "json"))

    def load(self, request: Any, progress: Any) -> None:
        progress.stage("load", msg=f"{type(request).__name__} {request.gpu.device} {request.cache_dir.name}")

    def generate(self, case: Any, progress: Any) -> GeneratedMedia:
        progress.step(1, 3)
        if case.seed == 13:
            _do(str(self.config.options["how"]), progress)
        progress.step(2, 3)
        told = {"prompt": case.prompt, "fingerprint": case.fingerprint, "modality": case.model.modality}
        told |= {"call": case.model.call, "image": str(case.image), "pid": os.getpid()}
        return GeneratedMedia(arguments=told, seconds={"total_s": 1 / 3})

    def trace(self, case: Any, request: Any, progress: Any) -> Trace:
        import numpy as np

        ramp = np.arange(6, dtype=np.float32)
        row = TracedTensor(request.modules, "out", 1, 0, [2, 3], "float32", 2.5, 15.0, 5.0, "0" * 64, ramp)
        return Trace(self.generate(case, progress), [row], 1)

    def facts(self) -> dict[str, Any]:
        loaded = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
        ours = {name: os.environ.get(name) for name in ("STUB", "PYTHONPATH")}
        return {"engine": self.config.name, "loaded": loaded, "path": sys.path, "environ": ours}


class Unfinished(Engine):
    """Lacks most of the contract."""


def _do(how: str, progress: Any) -> None:
    if how.startswith("SIG"):
        os.kill(os.getpid(), getattr(signal, how))
    else:
        HOW[how](progress)


def _exit(progress: Any) -> None:
    print("cannot find libcuda.so\n")
    os._exit(3)


def _garbage(progress: Any) -> None:
    os.write(int(sys.argv[1]), b"Loading checkpoint shards: 100%\n")


def _close(progress: Any) -> None:
    os.close(int(sys.argv[1]))


def _raise(progress: Any) -> None:
    raise ValueError("shapes (2, 3)\nand (4,)")


def _refuse(progress: Any) -> None:
    raise UsageError("No such thing.", "Take another.")


def _refuse_media(progress: Any) -> None:
    raise MediaError("No such picture.", "Take another.")


def _children(progress: Any) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import signal, time\nsignal.signal(15, 1)\ntime.sleep(600)"])
    Path(os.environ["STUB"]).write_text(f"{os.getpid()} {child.pid}")
    os.kill(os.getpid(), signal.SIGSTOP)


def _deaf(progress: Any) -> None:
    time.sleep(600)


def _slow(progress: Any) -> None:
    for _ in range(600):
        progress.step(1, 3)
        time.sleep(0.05)


HOW = {
    "exit": _exit,
    "garbage": _garbage,
    "close": _close,
    "raise": _raise,
    "refuse": _refuse,
    "refuse media": _refuse_media,
    "children": _children,
    "deaf": _deaf,
    "slow": _slow,
}
