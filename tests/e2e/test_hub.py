# SPDX-License-Identifier: Apache-2.0
"""References on the Hub through the command line, against a server of our own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Cli, Command
from tests.servers.hub import ALICE, ALICE_READS, HubServer

SEED = ("op=seed_ssim", "engine=mock")
CHECK = ("op=check_ssim", "engine=mock")
NAME = "alice/refs"

OnHub = Callable[..., Command]


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        server.create(NAME)
        yield server


@pytest.fixture
def on_hub(cli: Cli, hub: HubServer) -> OnHub:
    """Run with the store on the Hub."""

    def run(*words: str, **environment: str) -> Command:
        settings = {"HF_ENDPOINT": hub.url, "HF_TOKEN": ALICE, "HF_HUB_DISABLE_XET": "1"}
        return cli("store=hub", f"store.repo_id={NAME}", *words, **settings | environment)

    return run


def _paths(hub: HubServer) -> list[str]:
    repo = hub.repos[NAME]
    return sorted(path for path in repo.files(repo.branches["main"]) if path.startswith("reference_videos/"))


def _commits(hub: HubServer) -> list[str]:
    repo = hub.repos[NAME]
    return [commit.title for commit in repo.history(repo.branches["main"])][:-1]


def test_seeding_and_checking_leave_no_token_anywhere(on_hub: OnHub, hub: HubServer, tmp_path: Path) -> None:
    seeded = on_hub(*SEED, "op.confirm=upload", HF_DEBUG="1")
    assert seeded.code == 0, seeded.text
    assert "Published 2 file(s) to hf://datasets/alice/refs as revision" in seeded.out
    assert len(_paths(hub)) == 2 and len(_commits(hub)) == 1

    checked = on_hub(*CHECK)
    assert checked.code == 0, checked.text

    again = on_hub(*SEED, "op.confirm=upload")
    assert again.code == 2 and "already in the store" in again.text
    assert len(_commits(hub)) == 1

    elsewhere = on_hub(*CHECK, "store.repo_id=alice/gone")
    assert elsewhere.code == 2 and "no data set hf://datasets/alice/gone" in elsewhere.text
    composed = on_hub(*CHECK, "--cfg", "job")

    assert ALICE not in "".join(command.text for command in (seeded, checked, again, elsewhere, composed))
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "manifest.json" for path in written)
    assert [path for path in written if ALICE.encode() in path.read_bytes()] == []


def test_the_data_set_of_the_ecosystem_is_found_by_its_variable(cli: Cli, hub: HubServer) -> None:
    environment = {"HF_ENDPOINT": hub.url, "HF_TOKEN": ALICE, "HF_HUB_DISABLE_XET": "1"}
    seeded = cli(*SEED, "store=hub", "op.confirm=upload", **environment, FASTVIDEO_SSIM_REFERENCE_HF_REPO=NAME)
    assert seeded.code == 0 and "hf://datasets/alice/refs" in seeded.out
    without = cli(*CHECK, "store=hub", **environment)
    assert without.code == 2 and "store.repo_id" in without.text and "organisation/name" in without.text


def test_reviewing_first_and_publishing_later_is_one_commit(on_hub: OnHub, hub: HubServer) -> None:
    seeded = on_hub(*SEED)
    assert seeded.code == 0 and _commits(hub) == []
    [command] = [line.strip() for line in seeded.out.splitlines() if "op=publish" in line]
    assert "store=hub" in command and f"store.repo_id={NAME}" in command
    hub.fault("lose", "/commit/")
    for sentence in ("Published 2 file(s)", "Already published"):
        published = on_hub("op=publish", "run=outputs/latest", "op.confirm=upload")
        assert published.code == 0 and sentence in published.out, published.text
    assert len(_commits(hub)) == 1


@pytest.mark.parametrize("token", [None, ALICE_READS, "hf_made_up_by_somebody_9999"], ids=["none", "reads", "unknown"])
def test_without_a_token_that_may_write_nothing_is_generated(
    on_hub: OnHub, hub: HubServer, tmp_path: Path, token: str | None
) -> None:
    command = on_hub(*SEED, "op.confirm=upload", HF_TOKEN=token or "")
    assert command.code == 2, command.text
    for variable in ("HF_API_KEY", "HUGGINGFACE_HUB_TOKEN", "HF_TOKEN"):
        assert variable in command.text
    assert "write access" in command.text and "Traceback" not in command.text
    assert not (tmp_path / "outputs").exists()
    assert _commits(hub) == [] and (not token or token not in command.text)


def test_a_cached_login_is_enough(on_hub: OnHub, hub: HubServer, tmp_path: Path) -> None:
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "token").write_text(ALICE)
    assert on_hub(*SEED, "op.confirm=upload", HF_TOKEN="").code == 0
    assert len(_commits(hub)) == 1


def test_a_hub_that_is_away_is_an_infrastructure_failure(on_hub: OnHub, hub: HubServer, tmp_path: Path) -> None:
    assert on_hub(*SEED, "op.confirm=upload").code == 0
    hub.fault("status", "/api/", status=503, times=10_000)
    command = on_hub(*CHECK, "store.retry_s=0.3")
    assert command.code == 4, command.text
    assert "hf://datasets/alice/refs answered 503" in command.text and "Traceback" not in command.text
