# SPDX-License-Identifier: Apache-2.0
"""Files are whole or not there."""

from __future__ import annotations

import errno
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fvhydra.core import files
from fvhydra.core.errors import MediaError, UsageError


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    files.write_json(target, {"old": 1})
    with pytest.raises(RuntimeError), files.atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError("killed")
    assert json.loads(target.read_text()) == {"old": 1}
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    with pytest.raises(UsageError, match=r"No space left .*a\.bin"), files.atomic_path(target):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert os.listdir(tmp_path) == []


def test_a_folder_below_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="Cannot write"):
        files.write_text(tmp_path / "file" / "a.txt", "y")


def test_nan_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        files.write_json(tmp_path / "a.json", {"x": math.nan})
    assert os.listdir(tmp_path) == []


def test_canonical_json_does_not_depend_on_order() -> None:
    assert files.canonical_json({"b": (1, 2), "a": "é"}) == files.canonical_json({"a": "é", "b": [1, 2]})
    assert files.canonical_json({"a": "é"}) == '{"a":"\\u00e9"}'


def test_a_folder_that_cannot_be_made_is_one_sentence() -> None:
    with pytest.raises(UsageError, match=r"Cannot write /proc/none/a\.txt"):
        files.write_text(Path("/proc/none/a.txt"), "y")


def test_a_missing_source_is_not_blamed_on_the_target(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        files.copy(tmp_path / "none", tmp_path / "target")


def test_bytes_that_are_no_text_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not UTF-8 text"):
        files.write_json(tmp_path / "a.json", {"prompt": "a\udce9"})
    assert os.listdir(tmp_path) == []


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("12345")
    (tmp_path / "link").symlink_to("a.txt")
    assert files.regular_file(tmp_path / "a.txt", most_bytes=5) == 5
    assert files.regular_file(tmp_path / "link") == 5
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    for path, says in (
        (tmp_path / "fifo", "is a FIFO"),
        (tmp_path, "is a folder"),
        (Path("/dev/zero"), "is a device"),
        (tmp_path / "none", "There is no clip"),
        (tmp_path / "a.txt" / "b", "cannot be looked at"),
        (tmp_path / "loop", "cannot be looked at"),
        (tmp_path / "a\0b", "cannot be looked at"),
        (tmp_path / "a\udc80\ud800b", "cannot be looked at"),
        (tmp_path / ("a" * 300), "cannot be looked at"),
    ):
        with pytest.raises(UsageError, match=says):
            files.regular_file(path, "clip")
    with pytest.raises(MediaError, match="has 5 bytes; at most 4 are read"):
        files.regular_file(tmp_path / "a.txt", most_bytes=4, error=MediaError)


def test_sets_have_one_order_in_every_process() -> None:
    script = (
        "from fvhydra.core.files import canonical_json; print(canonical_json({'a': {'x', 'y', 'z', 3, 1, (2, 'b')}}))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert printed == {'{"a":["x","y","z",1,3,[2,"b"]]}\n'}
