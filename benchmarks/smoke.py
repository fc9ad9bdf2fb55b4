# SPDX-License-Identifier: Apache-2.0
"""Seeding and checking LTX-2 in the smoke tier, warm cache, against importing diffusers and one bare generation.

python benchmarks/smoke.py
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from timing import interleaved, markdown

REPEATS = 3
TARGET = 1.5
HERE = str(Path(__file__).parent.resolve())

FRESH_STORE = """
import os, shutil, sys
shutil.rmtree("store", ignore_errors=True)
os.execv(sys.executable, sys.argv[1:])
"""

BARE = """
import json, sys, warnings
warnings.simplefilter("ignore")
import torch
from diffusers import LTX2Pipeline
torch.set_num_threads(1)
pipe = LTX2Pipeline.from_pretrained(sys.argv[1], local_files_only=True)
pipe.set_progress_bar_config(disable=True)
pipe(**json.loads(sys.argv[2]), generator=torch.Generator("cpu").manual_seed(10))
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ |= {"FVHYDRA_CACHE": str(folder / "cache"), "FVHYDRA_STORE": str(folder / "store")}
        os.chdir(folder)
        snapshot, arguments = prepare(folder)
        fvhydra = [sys.executable, "-m", "fvhydra", "model=ltx2", "runtime.progress=none"]
        timings = interleaved(
            {
                "bare generation": [sys.executable, "-c", BARE, snapshot, arguments],
                "op=seed_ssim": [sys.executable, "-c", FRESH_STORE, *fvhydra, "op=seed_ssim", "op.confirm=upload"],
                "op=check_ssim": [*fvhydra, "op=check_ssim"],
            },
            REPEATS,
        )
    base = timings["bare generation"].wall_s
    rows = [
        (name, f"{timing.wall_s:.1f}", f"{timing.peak_mb:.0f}", f"{timing.wall_s / base:.2f}x")
        for name, timing in timings.items()
    ]
    print(markdown(["process", "wall s", "peak MB", "against the bare generation"], rows))
    print(f"\nTarget: at most {TARGET}x. Medians of {REPEATS} runs in turn.")


def prepare(folder: Path) -> tuple[str, str]:
    """Build the tiny weights in a process of its own; return their folder and the arguments of the call, as JSON."""
    import subprocess

    script = (
        "import json, sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from wrapping import loaded\n"
        "from fvhydra.core.progress import Silent\n"
        "from fvhydra.engines.tiny.snapshot import build_snapshot\n"
        "case, engine = loaded(Path('cache'), 4)\n"
        "print(build_snapshot('ltx2', Path('cache')).resolve())\n"
        "print(json.dumps(engine.generate(case, Silent()).arguments))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, HERE], capture_output=True, text=True, check=True)
    snapshot, arguments = done.stdout.strip().splitlines()[-2:]
    return snapshot, arguments


if __name__ == "__main__":
    main()
