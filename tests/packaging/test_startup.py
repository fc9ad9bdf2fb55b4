# SPDX-License-Identifier: Apache-2.0
"""Answers that need no model come without loading the libraries that take seconds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fvhydra import __version__
from tests.conftest import clean_environment

HEAVY = ("torch", "diffusers", "transformers", "av", "cv2", "imageio", "huggingface_hub", "modal")

_PROGRAM = f"""
import sys
from fvhydra.cli import run

code = run(sys.argv[1:])
loaded = {{name.partition(".")[0] for name in sys.modules}}
print("loaded:", *sorted(loaded.intersection({HEAVY})), file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (["--help"], 0, "op=seed_ssim"),
        (["--version"], 0, f"fvhydra {__version__}"),
        (["op=doctor", "-V"], 0, f"fvhydra {__version__}"),
        (["--cfg", "job"], 0, "num_inference_steps"),
        (["op=seed_ssim", "engine=mock", "--cfg", "job"], 0, "num_inference_steps"),
        (["--info", "defaults"], 0, "sampling"),
        (["-sc", "install=bash"], 0, "complete"),
        (["-sc", "query=bash"], 0, "model=ltx2"),
        (["model=ltx3"], 2, "Did you mean 'ltx2'?"),
        (["sampling.num_frames=46"], 2, "nearest"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_nothing_heavy_is_loaded(words: list[str], code: int, expected: str, tmp_path: Path, cache_dir: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *words],
        cwd=tmp_path,
        env=clean_environment(tmp_path, cache_dir) | {"COMP_LINE": "fvhydra model="},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert expected in done.stdout + done.stderr
    assert done.stderr.splitlines()[-1] == "loaded:"
