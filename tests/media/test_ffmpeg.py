# SPDX-License-Identifier: Apache-2.0
"""Programs of FFmpeg are looked for in one order."""

from __future__ import annotations

from pathlib import Path

import pytest

from fvhydra.media.ffmpeg import find_programs


def _program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {path.parent.name}\n")
    path.chmod(0o755)
    return path


def test_the_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = _program(tmp_path / "given" / "ffmpeg")
    beside = _program(tmp_path / "project" / "ffmpeg" / "bin" / "ffmpeg")
    on_path = _program(tmp_path / "path" / "ffmpeg")
    shipped = _program(tmp_path / "site" / "imageio_ffmpeg" / "binaries" / "ffmpeg-linux-v7")
    (tmp_path / "site" / "imageio_ffmpeg" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path / "site")
    environment = {"FFMPEG_BIN": str(given), "PATH": str(tmp_path / "path")}
    found = list(find_programs("ffmpeg", tmp_path / "project", environment))
    assert [(program.path, program.source) for program in found] == [
        (given, "FFMPEG_BIN"),
        (beside, "ffmpeg/bin"),
        (on_path, "PATH"),
        (shipped, "imageio-ffmpeg"),
    ]
    assert [program.version() for program in found] == ["given", "bin", "path", "binaries"]
    folder = next(find_programs("ffmpeg", tmp_path, {"FFMPEG_BIN": str(given.parent)}))
    assert folder.path == given
    assert list(find_programs("ffprobe", tmp_path, {"PATH": ""})) == []
    wrong = next(find_programs("ffmpeg", tmp_path, {"FFMPEG_BIN": "/nowhere"}))
    assert str(wrong.path) == "/nowhere" and wrong.version() == ""
