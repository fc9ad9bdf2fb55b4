# SPDX-License-Identifier: Apache-2.0
"""``make bench``: every figure that the README quotes, one script after the other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPTS = (
    "startup.py",
    "wrapping.py",
    "smoke.py",
    "compare_pair.py",
    "evaluation.py",
    "frechet.py",
    "stores.py",
    "launchers.py",
    "hooks.py",
    "against.py",
    "honesty.py",
    "perf_history.py",
    "status.py",
    "parity.py",
)

folder = Path(__file__).parent
for script in sys.argv[1:] or SCRIPTS:
    print(f"\n## {script}\n", flush=True)
    subprocess.run([sys.executable, folder / script], check=True)
