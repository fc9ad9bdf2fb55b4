# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.servers.modal``: serve until Ctrl-C, for trying things by hand."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from pathlib import Path

from tests.servers.modal import ModalServer


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, ModalServer(Path(folder)) as modal:
        print("\n".join(f"export {key}={value}" for key, value in modal.environment.items()), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
