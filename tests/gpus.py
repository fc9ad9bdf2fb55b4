# SPDX-License-Identifier: Apache-2.0
"""A machine with GPUs, as its driver shows them: an ``nvidia-smi`` that lists what a test wants."""

from __future__ import annotations

import os
from pathlib import Path

H100 = "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-11111111-aaaa)\n"
MIXED = H100 + "GPU 1: NVIDIA A40 (UUID: GPU-22222222-bbbb)\nGPU 2: NVIDIA A40 (UUID: GPU-33333333-cccc)\n"
SPLIT = (
    "GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-44444444-dddd)\n"
    "  MIG 1g.5gb      Device  0: (UUID: MIG-7)\n"
    "  MIG 2g.10gb     Device  1: (UUID: MIG-8)\n"
)


def path_with(folder: Path, listed: str) -> str:
    """A value of ``PATH`` on which ``nvidia-smi`` lists that."""
    folder = folder / "driver"
    folder.mkdir(exist_ok=True)
    (folder / "listed").write_text(listed)
    (folder / "nvidia-smi").write_text(f'#!/bin/sh\n[ "$1" = -L ] || exit 9\nexec /bin/cat {folder}/listed\n')
    (folder / "nvidia-smi").chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"
