# SPDX-License-Identifier: Apache-2.0
"""Re-seeding, restoring, drafts and history with ``store=hub``: the same commands, the same behaviour."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Cli, run_cli
from tests.servers.hub import ALICE, HubServer

REPO = "alice/refs"
BOTH = "op.confirm=[confirm reseed, upload]"
MOVED = "tier.perturb_weights=0.5"


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        server.create(REPO)
        yield server


@pytest.fixture
def hub_cli(hub: HubServer, tmp_path: Path, cache_dir: Path) -> Cli:
    """The command line with a token and a store on the test's own Hub."""
    return functools.partial(_on_hub, hub.url, tmp_path, cache_dir)


def _on_hub(url: str, folder: Path, cache_dir: Path, *words: str, token: str = ALICE) -> object:
    where = ("store=hub", f"store.repo_id={REPO}", "store.xet=off")
    return run_cli(folder, cache_dir, "engine=mock", *where, *words, HF_ENDPOINT=url, HF_TOKEN=token)


def _commits(hub: HubServer) -> int:
    return len([request for request in hub.requests if "/commit/" in request.path and request.status == 200])


def _case(folder: Path) -> dict:
    return json.loads((folder / "outputs" / "latest" / "result.json").read_text())["cases"][0]


@pytest.mark.slow
def test_every_op_works_on_the_hub(hub: HubServer, hub_cli: Cli, tmp_path: Path) -> None:
    assert hub_cli("op=reseed_ssim", "op.reason=too early").code == 2
    assert hub_cli("op=seed_ssim", "op.confirm=upload").code == 0
    assert hub_cli("op=seed_ssim").code == 2
    assert hub_cli("op=check_ssim").code == 0

    prepared = hub_cli("op=reseed_ssim", MOVED, "op.accept=undisturbed_weights", "op.reason=FA3 kernel upgrade")
    assert prepared.code == 0 and _commits(hub) == 1
    assert "store=hub store.repo_id=alice/refs" in prepared.out
    reseed = (tmp_path / "outputs" / "latest").resolve()
    published = hub_cli("op=publish", f"run={reseed}", BOTH)
    assert published.code == 0 and _commits(hub) == 2, published.text
    assert hub_cli("op=check_ssim", MOVED).code == 0
    assert [entry["kind"] for entry in _case(tmp_path)["history"]] == ["reseed", "seed"]
    assert hub_cli("op=check_ssim").code == 1

    restored = hub_cli("op=restore", f"run={reseed}", "op.confirm=upload")
    assert restored.code == 0 and _commits(hub) == 3, restored.text
    assert hub_cli("op=check_ssim").code == 0
    log = hub_cli("op=log")
    assert [kind in log.out for kind in ("seed:", "reseed:", "restore:")] == [True] * 3

    wan = "model=wan21_t2v_1_3b"
    drafted = hub_cli("op=check_ssim", wan, "op.bootstrap=true")
    assert drafted.code == 3 and _commits(hub) == 4, drafted.text
    promoted = hub_cli("op=promote", wan, "op.confirm=upload")
    assert promoted.code == 0 and _commits(hub) == 5, promoted.text
    assert hub_cli("op=check_ssim", wan).code == 0


@pytest.mark.slow
def test_a_token_is_nowhere(hub: HubServer, hub_cli: Cli, tmp_path: Path) -> None:
    planted = "hf_planted_0123456789_secret"
    hub.tokens[planted] = hub.tokens[ALICE]
    commands = [
        hub_cli("op=seed_ssim", "op.confirm=upload", token=planted),
        hub_cli("op=check_ssim", token=planted),
        hub_cli("op=check_ssim", "store.repo_id=alice/none", token=planted),
        hub_cli("op=doctor", token=planted),
    ]
    hub.kill()
    commands.append(hub_cli("op=check_ssim", "store.retry_s=1", token=planted))
    assert [command.code for command in commands] == [0, 0, 2, 0, 4], [command.text for command in commands]
    assert all(planted not in command.text for command in commands)
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or planted.encode() not in path.read_bytes(), path
