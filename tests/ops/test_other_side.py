# SPDX-License-Identifier: Apache-2.0
"""The other side of a comparison, and the engine as it was at a git ref."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fvhydra.config.root import Config
from fvhydra.core.errors import UsageError
from fvhydra.ops.other_side import apart, at_ref, commit_of, differences, other_side
from tests.launch.jobs import composed

WORDS = ("model=wan21_t2v_1_3b", "engine=mock")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """An engine's repository with two commits; ``before`` is a tag of the first."""
    folder = tmp_path / "engine"
    folder.mkdir()

    def git(*words: str) -> None:
        who = ("-c", "user.name=A", "-c", "user.email=a@b")
        subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)

    git("init", "-b", "main")
    for text in ("slow", "fast"):
        (folder / "pkg").mkdir(exist_ok=True)
        (folder / "pkg" / "kernel.py").write_text(text)
        git("add", "-A")
        git("commit", "-m", text)
        if text == "slow":
            git("tag", "before")
    return folder


def job(path: Path | None = None) -> Config:
    config = composed(*WORDS)
    return dataclasses.replace(
        config, engine=dataclasses.replace(config.engine, path=None if path is None else str(path))
    )


def worktrees(repository: Path) -> int:
    done = subprocess.run(
        ["git", "-C", str(repository), "worktree", "list"], capture_output=True, text=True, check=True
    )
    return len(done.stdout.splitlines())


def test_a_ref_is_a_worktree_for_as_long_as_it_is_measured(repository: Path) -> None:
    (repository / "pkg" / "kernel.py").write_text("edited, not committed")
    with at_ref(job(repository), {"ref": "before"}) as other:
        path = Path(str(other.engine.path))
        assert (path / "pkg" / "kernel.py").read_text() == "slow" and worktrees(repository) == 2
    assert not path.exists() and worktrees(repository) == 1
    assert (repository / "pkg" / "kernel.py").read_text() == "edited, not committed"
    with pytest.raises(KeyboardInterrupt), at_ref(job(repository), {"ref": "main~1"}):
        raise KeyboardInterrupt
    assert worktrees(repository) == 1
    with at_ref(job(repository / "pkg"), {"ref": "before"}) as other:  # a folder inside
        assert (Path(str(other.engine.path)) / "kernel.py").read_text() == "slow"


@pytest.mark.parametrize("ref", ["nowhere", "--help", "HEAD:pkg/kernel.py"])
def test_a_ref_that_is_none_is_refused(repository: Path, ref: str) -> None:
    with pytest.raises(UsageError, match=r"op\.against=\{ref: .*\} is no commit, branch or tag of"):
        commit_of(job(repository), ref)


def test_a_ref_needs_the_engines_repository(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"and engine\.path= names none"):
        commit_of(job(), "main")
    with pytest.raises(UsageError, match="is in no checkout of git"):
        commit_of(job(tmp_path), "main")


def test_no_hook_of_the_repository_is_run(repository: Path, tmp_path: Path) -> None:
    hook = repository / ".git" / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    with at_ref(job(repository), {"ref": "before"}), at_ref(job(repository), {}) as same:
        assert same == job(repository)
    assert not (tmp_path / "ran").exists()


def test_what_is_other_and_what_is_told_of_it() -> None:
    this = job()
    other = other_side(
        this,
        {
            "backend": "flash_attn",
            "dtype": "float32",
            "engine.env": {"A": 1},
            "engine.options.x": 2,
            "engine.path": "/x",
        },
    )
    assert (other.backend.folder, other.model.dtype, other.engine.env) == ("FLASH_ATTN", "float32", {"A": "1"})
    assert other.engine.options == {**this.engine.options, "x": 2} and this.engine.options == {"component_s": None}
    told = {key: (here, there) for key, here, there in differences(this, other, None)}
    assert told["backend"] == ("torch_sdpa", "flash_attn") and told["engine.path"] == ("None", "/x")
    assert other_side(this, {"engine": "diffusers"}).engine.options == {"offload": "none"}
    assert differences(this, other_side(this, {}), "main") == [("ref", "as it is", "main")]
    assert apart(this).engine.own_process


@pytest.mark.parametrize(
    ("against", "wrong"),
    [
        ({"prompts.set": 3}, r"op.against has no prompts.set"),
        ({"sampling.hight": 3}, r"op.against has no sampling.hight. Did you mean 'height'"),
        ({"sampling.height": "x"}, r"op.against cannot be: .*height"),
        ({"engine.pyhton": "x"}, r"Did you mean 'engine.python'"),
        ({"backend": "fastest"}, r"op.against=\{backend: fastest\} must be one of: .*flash_attn"),
        ({"backend": "../op/bench"}, r"must be one of"),
        ({"dtype": "int4"}, r"op.against cannot be: .*float32"),
        ({"ref": "main", "engine.path": "/x"}, r"names both ref and engine.path"),
    ],
)
def test_what_cannot_be_other_is_refused(against: dict[str, Any], wrong: str) -> None:
    with pytest.raises(UsageError, match=wrong):
        other_side(job(), against)
