# SPDX-License-Identifier: Apache-2.0
"""Damaged references: re-seeding and going back go on, say what is in no backup, and leave the store whole."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from fvhydra.config.store import LocalStoreConfig
from fvhydra.core.errors import MediaError
from fvhydra.media import latent, video
from fvhydra.media.distinct import write_distinct
from fvhydra.stores.base import Store
from fvhydra.stores.local import LocalStore
from fvhydra.stores.verification import UNVERIFIED, Kind
from tests.conftest import Cli, Command
from tests.contracts.store_sites import hub_config, open_store
from tests.servers.hub import ALICE, HubServer

WAN = ("engine=mock", "model=wan21_t2v_1_3b", "prompt_index=0")
MOVED, ACCEPT = "tier.perturb_weights=0.5", "op.accept=undisturbed_weights"
RESEED = ("op.reason=why", "op.confirm=[confirm reseed, upload]")

Run = Callable[..., Command]


class Local:
    """The store of a test as a folder, and what can be done to it behind its back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.words: tuple[str, ...] = ()
        self.environment: dict[str, str] = {}

    def open(self) -> Store:
        return LocalStore(LocalStoreConfig(_target_="", name="local", path=str(self._folder / "store")))

    def harm(self, path: str, lose: bool = False) -> None:
        sha256 = self.open().files()[path].digest.removeprefix("sha256:")
        file = self._folder / "store" / "objects" / sha256[:2] / sha256
        if lose:
            file.unlink()
        else:
            file.chmod(0o644)
            data = file.read_bytes()
            file.write_bytes(bytes([data[0] ^ 1]) + data[1:])


class Hub:
    """The same on a server."""

    def __init__(self, server: HubServer, folder: Path) -> None:
        self._server, self._folder = server, folder
        self.words = ("store=hub", "store.repo_id=alice/refs", f"store.endpoint={server.url}", "store.xet=off")
        self.words += (f"store.cache_dir={folder / 'cache'}",)
        self.environment = {"HF_TOKEN": ALICE}

    def open(self) -> Store:
        return open_store(hub_config(self._server, "alice/refs", self._folder / "another cache"))

    def harm(self, path: str, lose: bool = False) -> None:
        """Flip a bit of what the server has, and forget what this machine has."""
        kind, _, name = self.open().files()[path].digest.partition(":")
        kept = self._server.lfs if kind == "sha256" else self._server.repos["alice/refs"].objects
        kept[name] = bytes([kept[name][0] ^ 1]) + kept[name][1:]
        for file in self._folder.glob("cache/**/blobs/*"):
            file.unlink()


@pytest.fixture(params=["local", "hub"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Local | Hub]:
    if request.param == "local":
        yield Local(tmp_path)
        return
    with HubServer() as server:
        server.large = 3000  # so that clips are kept apart from git, and sidecars not
        server.create("alice/refs")
        yield Hub(server, tmp_path)


@pytest.fixture
def run(command: Cli, site: Local | Hub) -> Run:
    return lambda *words: command(*words, *site.words, **site.environment)


def _latest(folder: Path) -> Path:
    return (folder / "outputs" / "latest").resolve()


def _one(store: Store, suffix: str) -> str:
    [path] = [path for path in store.files() if path.endswith(suffix)]
    return path


@pytest.mark.parametrize(
    ("what", "other"),
    [(".mp4", ()), (".mp4.json", (MOVED, ACCEPT)), pytest.param(".mp4", (MOVED, ACCEPT), marks=pytest.mark.slow)],
    ids=["clip, the same bytes", "sidecar, other bytes", "clip, other bytes"],
)
def test_a_damaged_reference_is_replaced_and_the_store_is_whole(
    run: Run, site: Local | Hub, tmp_path: Path, what: str, other: tuple[str, ...]
) -> None:
    assert run("op=seed_ssim", *WAN, "op.confirm=upload").code == 0
    path = _one(site.open(), what)
    old = site.open().files()[path].digest
    site.harm(path)
    checked = run("op=check_ssim", *WAN)
    assert checked.code == 4 and "op=reseed_ssim" in checked.text, checked.text

    done = run("op=reseed_ssim", *WAN, *other, *RESEED)
    assert done.code == 0, done.text
    assert f"Not in the backup, since it cannot be verified: {path}" in done.out
    assert "Still not whole" not in done.out
    folder = _latest(tmp_path)
    provenance = json.loads((folder / "backup" / "PROVENANCE.json").read_text())
    assert list(provenance["unverified"]) == [path]
    assert not (folder / "backup" / path).exists()
    assert len([file for file in (folder / "backup").rglob("*") if file.is_file()]) == 2  # the other one, and the note
    assert "Not in the backup" in (folder / "pull_request.md").read_text()

    newest = site.open().log()[0]
    assert newest.provenance[UNVERIFIED] == {path: old}
    assert run("op=verify").code == 0
    assert run("op=check_ssim", *WAN, *(other[:1])).code == 0
    assert site.open().verify(lambda _: None).harm == []


def test_a_lost_reference_is_replaced(command: Cli, tmp_path: Path) -> None:
    site = Local(tmp_path)
    assert command("op=seed_ssim", *WAN, "op.confirm=upload").code == 0
    for path in site.open().files():
        site.harm(path, lose=True)
    time.sleep(1)  # a sidecar says the second in which it was made
    assert command("op=reseed_ssim", *WAN, *RESEED).code == 0
    found = site.open().verify(lambda _: None)
    # the clip is the same again; the earlier sidecar is gone for good, and everybody was told
    assert found.harm == [] and [item.kind for item in found.findings] == [Kind.FORMER]


def test_going_back_goes_on_without_what_is_damaged(run: Run, site: Local | Hub, tmp_path: Path) -> None:
    assert run("op=seed_ssim", *WAN, "op.confirm=upload").code == 0
    first = {path: entry.digest for path, entry in site.open().files().items()}
    assert run("op=reseed_ssim", *WAN, MOVED, ACCEPT, *RESEED).code == 0
    reseeded = _latest(tmp_path)
    path = _one(site.open(), ".mp4")
    site.harm(path)
    assert run("op=check_ssim", *WAN, MOVED).code == 4
    done = run("op=restore", *WAN, f"run={reseeded}", "op.confirm=upload")
    assert done.code == 0 and f"Not in the backup, since it cannot be verified: {path}" in done.out, done.text
    assert {path: entry.digest for path, entry in site.open().files().items()} == first
    assert run("op=check_ssim", *WAN).code == 0
    assert run("op=verify").code == 0


def test_what_the_store_lost_of_earlier_days_comes_from_the_backup(command: Cli, tmp_path: Path) -> None:
    site = Local(tmp_path)
    assert command("op=seed_ssim", *WAN, "op.confirm=upload").code == 0
    path, first = _one(site.open(), ".mp4"), site.open().files()
    site.harm(path, lose=True)
    saved = tmp_path / "store/current" / path
    (tmp_path / "store/objects" / first[path].digest[7:9] / first[path].digest[7:]).write_bytes(saved.read_bytes())
    assert command("op=reseed_ssim", *WAN, MOVED, ACCEPT, *RESEED).code == 0
    reseeded = _latest(tmp_path)
    (tmp_path / "store/objects" / first[path].digest[7:9] / first[path].digest[7:]).unlink()
    other = command("op=restore", *WAN, f"op.revision={site.open().log()[-1].revision}", "op.confirm=upload")
    assert other.code == 4 and "has lost" in other.text, other.text
    done = command("op=restore", *WAN, f"run={reseeded}", "op.confirm=upload")
    assert done.code == 0, done.text
    assert site.open().files() == first and command("op=check_ssim", *WAN).code == 0
    assert command("op=verify").code == 0


def test_publishing_later_is_as_good(command: Cli, tmp_path: Path) -> None:
    site = Local(tmp_path)
    assert command("op=seed_ssim", *WAN, "op.confirm=upload").code == 0
    site.harm(_one(site.open(), ".mp4"))
    assert command("op=reseed_ssim", *WAN, "op.reason=why").code == 0
    assert command("op=publish", "run=outputs/latest", RESEED[1]).code == 0
    assert command("op=check_ssim", *WAN).code == 0 and command("op=verify").code == 0


# the same content in another file


def _mp4(folder: Path) -> Path:
    frames = np.random.default_rng(1).integers(0, 255, (9, 64, 64, 3), np.uint8)
    video.encode(folder / "a.mp4", frames, 24)
    return folder / "a.mp4"


def _pt(folder: Path) -> Path:
    tensor = torch.randn(1, 64, 16, generator=torch.Generator().manual_seed(1))
    latent.save_bundle(folder / "a.pt", tensor.numpy(), "torch.float32", "audio_first_8_timesteps", {"prompt": "a"})
    return folder / "a.pt"


@pytest.mark.parametrize("make", [_mp4, _pt])
def test_the_same_content_in_another_file(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    source = make(tmp_path)
    copies = [tmp_path / f"{name}{source.suffix}" for name in "bcd"]
    for copy in copies[:2]:
        write_distinct(source, copy)
    if source.suffix == ".mp4":
        write_distinct(copies[1], copies[2])
    assert len({file.read_bytes() for file in (source, *copies) if file.exists()}) == (
        4 if source.suffix == ".mp4" else 3
    )
    for copy in (file for file in copies if file.exists()):
        if source.suffix == ".mp4":
            assert np.array_equal(*(np.stack(list(video.decode(file))) for file in (copy, source)))
        else:
            assert torch.equal(torch.load(copy)["latent"], torch.load(source)["latent"])
            assert latent.load_bundle(copy).metadata == latent.load_bundle(source).metadata


@pytest.mark.parametrize("name", ["a.webm", "a.pt"])
def test_what_is_of_another_kind_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"something")
    with pytest.raises(MediaError, match="cannot be written with other bytes"):
        write_distinct(tmp_path / name, tmp_path / "to")
    assert not (tmp_path / "to").exists()
