# SPDX-License-Identifier: Apache-2.0
"""``python -m fvhydra.testing.digests <file>``: the hash of an engine's outputs, from a process of its own.

It has no network, whatever the environment says.
"""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from fvhydra.config.engine import EngineConfig
from fvhydra.core.case import Case
from fvhydra.core.files import sha256_bytes
from fvhydra.core.progress import Silent
from fvhydra.engines.base import LoadRequest
from fvhydra.engines.choice import open_engine
from fvhydra.testing import cases

Jobs = Sequence[tuple[LoadRequest, Case]]

_LIMIT_S = 300


def digests(config: EngineConfig, jobs: Jobs) -> list[str]:
    """Hex SHA-256 of what an engine makes of each case, loaded for each anew."""
    found = []
    for request, case in jobs:
        engine = open_engine(config)
        engine.load(request, Silent())
        found.append(sha256_bytes(cases.output(engine.generate(case, Silent())).tobytes()))
        engine.close()
    return found


def digests_elsewhere(config: EngineConfig, jobs: Jobs, scratch: Path) -> list[str]:
    """The same in another process, which can import what this one can."""
    file = scratch / "jobs.pickle"
    file.write_bytes(pickle.dumps((config, jobs)))
    done = subprocess.run(
        [sys.executable, "-m", __name__, str(file)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()


def _refuse(*_: object) -> None:
    raise AssertionError("the network was used")


if __name__ == "__main__":
    socket.socket.connect = _refuse  # type: ignore[method-assign]
    print(*digests(*pickle.loads(Path(sys.argv[1]).read_bytes())))
