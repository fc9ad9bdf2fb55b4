# SPDX-License-Identifier: Apache-2.0
"""Folders that strangers send are data: what is published, imported and sent a token is decided by this command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.conftest import Cli

SWEEP = ("-m", "op=seed_ssim", "engine=mock", "model=wan22_ti2v_5b", "prompt=a cat", "seed=1")


def _edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _stranger(command: Cli, tmp_path: Path) -> Path:
    """A sweep with one prepared change, whose records say all that was never said here."""
    command(*SWEEP, "sweep=theirs")
    sweep = tmp_path / "multirun" / "seed_ssim" / "theirs"
    record = json.loads((sweep / "0" / "job.json").read_text())
    record["config"]["op"]["confirm"] = ["upload"]
    (sweep / "0" / "job.json").write_text(json.dumps(record))
    _modal(sweep)
    return sweep


def _modal(sweep: Path) -> None:
    """Make a sweep one whose jobs ran on Modal."""
    record = json.loads((sweep / "0" / "job.json").read_text())
    target = "fvhydra.launch.modal.launcher.ModalLauncher"
    record["config"]["launcher"] = {"_target_": target, "name": "modal", "image": {"registry": "none"}}
    record["types"]["launcher"] = "fvhydra.config.launcher.ModalLauncherConfig"
    (sweep / "0" / "job.json").write_text(json.dumps(record))


def test_what_a_folder_says_confirms_nothing(command: Cli, tmp_path: Path) -> None:
    sweep = _stranger(command, tmp_path)
    attached = command("op=attach", f"run={sweep}")
    assert attached.code == 0 and "Nothing was written to" in attached.out, attached.text
    for kind, words, says in (
        ("draft", ("op=attach", "run=copy"), "tampered"),
        ("draft", (*SWEEP, "sweep=./copy", "launcher=pool"), "tampered"),
        ("restore", ("op=attach", "run=copy", "op.confirm=upload"), "which no op=seed_ssim makes"),
    ):
        shutil.rmtree(tmp_path / "copy", ignore_errors=True)
        shutil.copytree(sweep, tmp_path / "copy")
        _edit(tmp_path / "copy" / "0" / "change.json", kind=kind)
        refused = command(*words)
        assert refused.code == 2 and says in refused.text, refused.text
        assert not (tmp_path / "store").exists()
    assert "Published" in command("op=attach", f"run={sweep}", "op.confirm=upload").out


def test_a_draft_is_uploaded_only_where_this_command_says_so(command: Cli, tmp_path: Path) -> None:
    words = ("-m", "op=check_ssim", *SWEEP[2:], "sweep=./ci")
    assert command(*words, "op.bootstrap=true", "store.path=elsewhere").code == 3
    shutil.rmtree(tmp_path / "elsewhere")
    record = tmp_path / "ci" / "0" / "change.json"
    _edit(record, applied=None)
    _modal(tmp_path / "ci")
    assert "Nothing was written" in command("op=attach", "run=ci").out
    assert not (tmp_path / "elsewhere").exists()
    assert "Published" in command("op=attach", "run=ci", "op.bootstrap=true").out
    assert list((tmp_path / "elsewhere" / "current").iterdir()) == [tmp_path / "elsewhere" / "current" / "drafts"]
