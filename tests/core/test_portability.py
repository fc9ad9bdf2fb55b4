# SPDX-License-Identifier: Apache-2.0
"""Absolute paths in records are found wherever they stand, and what only says how something was made is let be."""

from __future__ import annotations

from pathlib import Path

import pytest

from fvhydra.core import files
from fvhydra.core.portability import outside


def test_where_a_path_stands(tmp_path: Path) -> None:
    files.write_json(
        tmp_path / "manifest.json",
        {
            "command": ["/usr/bin/fvhydra"],
            "config": {"runtime": {"cache_dir": "/home/a/.cache"}},
            "artifacts": [{"path": "artifacts/a.mp4"}, {"path": "/abs/b.mp4"}],
            "inner": {"config": "/abs/c"},
            "job": {"hub_cache": {"HF_HOME": "/home/a/hf"}, "spec": {"init_image": "/abs/d.png"}, "x": "/abs/e"},
            "cases": [{"environment_difference": [{"key": "engine.python", "reference": "/usr/bin/python3"}]}],
            "details": {"store": "/srv/store"},
        },
    )
    (tmp_path / "scores.jsonl").write_text('{"message": "/x"}\n{"clips": {"video": "C:\\\\clips\\\\a.mp4"}}\n')
    files.write_json(tmp_path / "job.json", {"folder": "/home"})
    (tmp_path / "broken.json").write_text("{")
    assert [str(item) for item in outside(tmp_path)] == [
        "manifest.json artifacts[1].path: /abs/b.mp4",
        "manifest.json inner.config: /abs/c",
        "manifest.json job.x: /abs/e",
        "scores.jsonl line 2: clips.video: C:\\clips\\a.mp4",
    ]


@pytest.mark.parametrize("text", ["/", "//", "a/b", "../a", "c:", "C", "", "1/2", "http://host/x", "// comment"])
def test_what_is_no_absolute_path(tmp_path: Path, text: str) -> None:
    files.write_json(tmp_path / "a.json", [text])
    assert list(outside(tmp_path)) == []


@pytest.mark.parametrize("text", ["/a", "/tmp/x y", "C:/a", "d:\\a", "\\\\host\\share", "file:///a"])
def test_what_is_one(tmp_path: Path, text: str) -> None:
    files.write_json(tmp_path / "a.json", [text])
    assert [item.field for item in outside(tmp_path)] == ["[0]"]
