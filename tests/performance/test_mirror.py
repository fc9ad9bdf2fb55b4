# SPDX-License-Identifier: Apache-2.0
"""Where copies of records are put."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from fvhydra.core.errors import UsageError
from fvhydra.performance import mirror
from fvhydra.performance.mirror import mirror_folder


def test_the_folder_of_the_temp_folder_must_be_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = mirror_folder(None)
    assert folder == tmp_path / "perf-tracking" and folder.stat().st_mode & 0o777 == 0o700
    assert mirror_folder(None) == folder and mirror_folder(f"{tmp_path}/a") == tmp_path / "a"
    monkeypatch.setattr(mirror.os, "getuid", lambda: 12345)
    with pytest.raises(UsageError, match="is not a folder of yours"):
        mirror_folder("")
    monkeypatch.undo()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="is not a folder of yours"):
        mirror_folder(None)
