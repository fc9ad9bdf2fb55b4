# SPDX-License-Identifier: Apache-2.0
"""What ``op=doctor`` finds: each trouble is a line, and none hides the next."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from fvhydra.config.store import LocalStoreConfig
from fvhydra.stores.local import LocalStore
from tests.conftest import Cli


def test_folders_links_and_bytes_that_are_not_what_they_should_be(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "latest").symlink_to("gone")
    store = LocalStore(LocalStoreConfig(_target_="", name="local", path=str(tmp_path / "store")))
    store.commit({"a/good.txt": b"good", "a/bad.txt": b"once"}, message="by hand")
    for path in (path for path in (tmp_path / "store").rglob("*") if path.is_file()):
        if path.read_bytes() == b"once":
            os.chmod(path, 0o644)
            path.write_bytes(b"rot!")
    command = cli("op=doctor", f"runtime.cache_dir={tmp_path}/file")
    assert command.code == 4, command.text
    bad = [line for line in command.text.splitlines() if "BAD" in line]
    assert len(bad) == 3, command.text
    assert "cannot be written" in bad[1] and "runtime.cache_dir" in bad[1]
    assert "damaged: a/bad.txt" in bad[0] and "good.txt" not in bad[0]
    assert "points to a run folder that is gone" in bad[2]


def test_where_the_engine_would_run(cli: Cli) -> None:
    command = cli("op=doctor", "engine=mock", "engine.isolate=true")
    assert f"engine mock in Python 3.{sys.version_info.minor}" in " ".join(command.text.split()), command.text
    gone = cli("op=doctor", "engine=mock", "engine.python=/opt/nowhere/python")
    assert gone.code == 4 and "engine.python=/opt/nowhere/python is no program that can be run." in gone.text, gone.text


def test_a_folder_that_cannot_be_made(cli: Cli) -> None:
    command = cli("op=doctor", "runtime.output_dir=/proc/x")
    assert command.code == 4 and "/proc/x cannot be written" in command.text, command.text
    refused = cli("op=generate", "engine=mock", "runtime.output_dir=/proc/x")
    assert refused.code == 2 and "Cannot write /proc/x" in refused.text, refused.text


@pytest.mark.slow
def test_doctor_finds_what_is_wrong_and_keeps_tokens_to_itself(cli: Cli, tmp_path: Path) -> None:
    well = cli("op=doctor", HF_TOKEN="hf_planted_secret")
    assert well.code == 0, well.text
    for part in (
        "python",
        "torch",
        "encoder libx264",
        "from HF_TOKEN",
        "free disk",
        "choices compose",
        "writable",
    ):
        assert part in well.out
    assert "hf_planted_secret" not in well.text
    (tmp_path / "file").write_text("x")
    ill = cli("op=doctor", "store.path=file/store")
    assert ill.code == 4 and "BAD  store" in ill.out
