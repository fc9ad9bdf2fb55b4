# SPDX-License-Identifier: Apache-2.0
"""A password in an address is used for nothing and written nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Cli

HUB = ("engine=mock", "store=hub", "store.repo_id=org/refs", "store.retry_s=0.1")


@pytest.mark.parametrize("sweep", [False, True])
def test_the_password_of_the_store_s_address_is_in_no_file_and_on_no_screen(
    command: Cli, tmp_path: Path, sweep: bool
) -> None:
    addresses = ["http://ada:secret@127.0.0.1:1", "http://bob:secret@127.0.0.1:1"]
    words = ["op=check_ssim", *HUB, f"store.endpoint={','.join(addresses[: 2 if sweep else 1])}"]
    shown = command(*(["-m"] if sweep else []), *words)
    assert shown.code == 4 and "cannot be reached" in shown.text, shown.text
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "manifest.json" for path in written) and "secret" not in shown.text
    assert [path for path in written if b"secret" in path.read_bytes()] == []


def test_the_password_of_a_wrong_address_is_not_shown(command: Cli, tmp_path: Path) -> None:
    shown = command("op=check_ssim", *HUB, "store.endpoint=ftp://ada:secret@hub.example")
    assert shown.code == 2 and "store.endpoint" in shown.text and "secret" not in shown.text, shown.text
    assert not (tmp_path / "outputs").exists()
