# SPDX-License-Identifier: Apache-2.0
"""Shell completion, as a bash that has run ``eval "$(fvhydra -sc install=bash)"`` asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import clean_environment

# what bash does on Tab, and then the answers
_PROGRAM = r"""
eval "$(fvhydra -sc install=bash)"
COMP_LINE=$1; COMP_POINT=${#1}; COMP_WORDS=($1); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
complete -p fvhydra >/dev/null && hydra_bash_completion
printf '%s\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("fvhydra model=wan", ["model=wan21_t2v_1_3b", "model=wan22_ti2v_5b"]),
        ("fvhydra op=check_ssim engine=m", ["engine=mock"]),
        ("fvhydra op=seed_ssim op.con", ["op.confirm="]),
        ("fvhydra op=publish op.acc", ["op.accept="]),
        ("fvhydra sampling.num_f", ["sampling.num_frames="]),
        ("fvhydra --config-dir=own engine=ec", ["engine=echo"]),
        ("fvhydra engine=of", ["engine=of_the_project"]),
    ],
)
def test_tab_offers(typed: str, offered: list[str], tmp_path: Path, cache_dir: Path) -> None:
    for folder, name in (("own", "echo"), ("conf", "of_the_project")):
        (tmp_path / folder / "engine").mkdir(parents=True)
        (tmp_path / folder / "engine" / f"{name}.yaml").write_text(f"_target_: x.Y\nname: {name}\n")
    (tmp_path / "fvhydra.yaml").write_text("config_dirs: [conf]\n")
    environment = clean_environment(tmp_path, cache_dir)
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    done = subprocess.run(
        ["bash", "-c", _PROGRAM, "bash", typed],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == offered, done.stderr
