# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.engines.digests <engine> <cache> <image>``: the hash of one output of every model, as JSON.

A process of its own for the tests of determinism. It has no network, whatever the environment says.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

from fvhydra.core.files import sha256_bytes
from fvhydra.core.loading import load_class
from fvhydra.core.progress import Silent
from fvhydra.engines.base import Engine
from tests.engines import cases


def digests(name: str, cache_dir: Path, image: Path) -> dict[str, str]:
    config = cases.engine_config(name)
    found = {}
    for model in cases.MODELS:
        engine = load_class(config._target_, "engine", Engine)(config)
        engine.load(cases.request(model, cache_dir), Silent())
        media = engine.generate(cases.case(model, image), Silent())
        found[model] = sha256_bytes(cases.output(media).tobytes())
    return found


def _refuse(*_: object) -> None:
    raise AssertionError("the network was used")


if __name__ == "__main__":
    socket.socket.connect = _refuse  # type: ignore[assignment,method-assign]
    print(json.dumps(digests(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))))
