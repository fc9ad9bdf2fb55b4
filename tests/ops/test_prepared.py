# SPDX-License-Identifier: Apache-2.0
"""What a job works with is made once, for all of its checks and its run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Cli, clean_environment
from tests.evaluation.clips import write_clip

COUNT = """
import functools, json, subprocess, sys
from collections import Counter

counts = Counter()

def counted(owner, name, key=None):
    made = getattr(owner, name)
    @functools.wraps(made)
    def count(*given, **named):
        counts[key or name] += 1
        return made(*given, **named)
    setattr(owner, name, count)

import fvhydra.core.case, fvhydra.core.files, fvhydra.evaluation.samples, fvhydra.ops.prompts
counted(fvhydra.ops.prompts, "_read", "read prompts")
counted(fvhydra.core.files, "write_json", "write")
counted(fvhydra.core.case.Case, "_weights", "recipe")
run = subprocess.run
def git(command, *given, **named):
    counts["git"] += command[0] == "git"
    return run(command, *given, **named)
subprocess.run = git
import fvhydra.ops.eval
counted(fvhydra.ops.eval, "read_samples", "read samples")
from fvhydra.cli import run as cli
code = cli(sys.argv[1:])
print(json.dumps({"code": code} | counts))
"""


def _counts(folder: Path, cache_dir: Path, *words: str) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-c", COUNT, *words],
        cwd=folder,
        env=clean_environment(folder, cache_dir),
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    assert found.pop("code") == 0, done.stdout + done.stderr
    return found


def test_a_check_reads_its_prompts_and_makes_its_recipes_once(tmp_path: Path, cache_dir: Path, cli: Cli) -> None:
    (tmp_path / "prompts.txt").write_text("".join(f"a cat {number}\n" for number in range(8)))
    words = ("engine=mock", "model=wan21_t2v_1_3b", "prompt_file=prompts.txt")
    assert cli("op=seed_ssim", *words, "op.confirm=upload").code == 0
    found = _counts(tmp_path, cache_dir, "op=check_ssim", *words)
    assert found["read prompts"] == 1 and found["git"] <= 2  # the commit, and whether files differ from it
    assert found["recipe"] == 8
    assert found["write"] < 8 + 12, "records grow with the number of cases beside one of each"


@pytest.mark.parametrize("shards", [3])
def test_the_shards_of_an_evaluation_share_its_samples(tmp_path: Path, cache_dir: Path, shards: int) -> None:
    for number in range(4):
        write_clip(tmp_path / "gen", f"{number}.mp4")
    words = ("-m", "op=eval", "videos=gen", "metrics=temporal", f"op.shard=range({shards})")
    assert _counts(tmp_path, cache_dir, *words)["read samples"] == 1
