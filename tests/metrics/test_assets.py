# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fvhydra.core.errors import UsageError
from fvhydra.metrics.assets import HubAssets
from fvhydra.metrics.catalogue import CLASSES, metric_class
from fvhydra.metrics.models.weights import AESTHETIC_HEAD, CLAP, I3D
from fvhydra.metrics.planned import NoParams
from fvhydra.metrics.spec import Asset, Spec
from fvhydra.metrics.weights_lock import WeightsLock, WrongWeights
from tests.metrics.running import skips
from tests.servers.hub import HubServer, the_only_hub

FILES = {
    "config.json": b"{}",
    "model.safetensors": b"weights",
    "pytorch_model.bin": b"the same weights",
    "README.md": b"# A model",
}
SINGLE = b"a single file"


def needing(*assets: Asset) -> Spec:
    """A metric with these weights."""
    return Spec("some.metric", 1, "", "sample", "higher", "1", (), NoParams, assets=assets)


def model(revision: str | None = None, files: tuple[str, ...] = (), sha256: str | None = None) -> Asset:
    return Asset("net", "alice/net", 12, "MIT", revision, files, sha256)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """A Hub with one model, and an empty cache."""
    with the_only_hub(monkeypatch, tmp_path / "hub") as server:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_PROGRESS_BARS", True)
        repo = server.create("alice/net", private=False)
        repo.commit("main", {name: repo.put("blob", data) for name, data in FILES.items()}, "alice", "weights")
        yield server


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture
def address() -> Iterator[str]:
    """Of a file that is on no Hub."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/head.pth" else 404)
            self.end_headers()
            self.wfile.write(SINGLE)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/head.pth"
        server.shutdown()


def fresh(tmp_path: Path, **settings: object) -> HubAssets:
    """As a new process has them."""
    return HubAssets("cpu", tmp_path / "cache", **settings)  # type: ignore[arg-type]


def test_a_repository_is_fetched_once_and_by_its_better_file(hub: HubServer, tmp_path: Path) -> None:
    metric, commit = needing(model()), hub.repos["alice/net"].branches["main"]
    assert fresh(tmp_path).missing(metric)
    found = fresh(tmp_path)
    assert found.revision(metric, "net") is None
    folder = found.path(metric, "net")
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert found.revision(metric, "net") == commit
    hub.requests.clear()
    again = fresh(tmp_path)
    assert (again.missing(metric), again.path(metric, "net"), found.path(metric, "net")) == (None, folder, folder)
    assert hub.requests == []


def test_the_pinned_commit_is_fetched(hub: HubServer, tmp_path: Path) -> None:
    repo = hub.repos["alice/net"]
    pinned = repo.branches["main"]
    repo.commit("main", {"model.safetensors": repo.put("blob", b"newer")}, "alice", "newer")
    folder = fresh(tmp_path).path(needing(model(pinned)), "net")
    assert (folder.name, (folder / "model.safetensors").read_bytes()) == (pinned, b"weights")


def test_a_single_file_is_held_to_its_hash(hub: HubServer, tmp_path: Path) -> None:
    sha256 = hashlib.sha256(b"the same weights").hexdigest()
    right, wrong = (needing(model(files=("pytorch_model.bin",), sha256=each)) for each in (sha256, "0" * 64))
    found = fresh(tmp_path)
    assert found.path(right, "net").read_bytes() == b"the same weights"
    assert found.revision(right, "net") == f"sha256:{sha256}"
    with pytest.raises(WrongWeights, match=f"its sha256 is {sha256}, and must be {'0' * 64}"):
        fresh(tmp_path).path(wrong, "net")


def test_half_a_snapshot_is_not_taken_for_weights(hub: HubServer, tmp_path: Path) -> None:
    from huggingface_hub import hf_hub_download

    hf_hub_download("alice/net", "config.json")
    assert fresh(tmp_path).missing(needing(model()))
    assert (fresh(tmp_path).path(needing(model()), "net") / "model.safetensors").exists()


def test_offline_says_how_to_get_it(hub: HubServer, offline: None, tmp_path: Path) -> None:
    how = "weights unavailable: alice/net, 12 MB; get it with `hf download alice/net --revision abc`"
    with skips("no_weights", how):
        fresh(tmp_path).path(needing(model("abc")), "net")
    missing = fresh(tmp_path).missing(needing(model("abc")))
    assert missing and how in missing.reason and "metrics.assets.net=<path>" in missing.reason
    assert hub.requests == []


def test_offline_asks_no_address(address: str, offline: None, tmp_path: Path) -> None:
    with skips("no_weights", "HF_HUB_OFFLINE is set"):
        fresh(tmp_path).path(needing(Asset("head", address, 1, "MIT")), "head")


def test_what_the_hub_refuses_skips_and_is_asked_once(hub: HubServer, tmp_path: Path) -> None:
    metric = needing(Asset("net", "alice/gone", 1, "MIT"))
    found = fresh(tmp_path)
    for _ in range(2):
        with skips("no_weights", "weights unavailable: alice/gone"):
            found.path(metric, "net")
    assert len(hub.requests) == 1


def test_a_file_from_an_address(address: str, tmp_path: Path) -> None:
    metric = needing(Asset("head", address, 1, "MIT", sha256=hashlib.sha256(SINGLE).hexdigest()))
    assert "get it with `curl -fLO" in fresh(tmp_path).missing(metric).reason  # type: ignore[union-attr]
    assert fresh(tmp_path).path(metric, "head").read_bytes() == SINGLE
    assert fresh(tmp_path).missing(metric) is None


def test_a_file_that_an_address_does_not_have(address: str, tmp_path: Path) -> None:
    with skips("no_weights", "404"):
        fresh(tmp_path).path(needing(Asset("head", f"{address}.gone", 1, "MIT")), "head")
    assert not list((tmp_path / "cache").rglob("*.pth*"))


def test_a_local_copy_comes_first(tmp_path: Path) -> None:
    folder, file = tmp_path / "copy", tmp_path / "head.pth"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"mine")
    file.write_bytes(SINGLE)
    metric = needing(CLAP, AESTHETIC_HEAD)
    found = fresh(tmp_path, overrides={"clap": folder, "aesthetic_head": file}, tiny=True)
    assert (found.path(metric, "clap"), found.path(metric, "aesthetic_head")) == (folder, file)
    assert found.revision(metric, "aesthetic_head") == f"sha256:{hashlib.sha256(SINGLE).hexdigest()}"
    before = found.revision(metric, "clap")
    (folder / "model.safetensors").write_bytes(b"others")
    other = fresh(tmp_path, overrides={"clap": folder})
    other.path(metric, "clap")
    assert before != other.revision(metric, "clap")


def test_a_local_copy_that_is_not_there_or_another_file(tmp_path: Path) -> None:
    gone = fresh(tmp_path, overrides={"clap": tmp_path / "gone"})
    with skips("no_weights", "metrics.assets.clap"):
        gone.path(needing(CLAP), "clap")
    assert gone.missing(needing(CLAP))
    (tmp_path / "i3d.pt").write_bytes(b"code")
    with pytest.raises(WrongWeights, match="must be bec6519f"):
        fresh(tmp_path, overrides={"i3d": tmp_path / "i3d.pt"}).path(needing(I3D), "i3d")


def test_only_weights_of_the_default_parameters_are_missed(hub: HubServer, tmp_path: Path) -> None:
    missing = fresh(tmp_path).missing(metric_class("common.fvd").spec)
    assert missing and "FVD-I3D" in missing.reason and "clip" not in missing.reason


def test_tiny_weights_are_marked(tmp_path: Path) -> None:
    metric, found = needing(AESTHETIC_HEAD), fresh(tmp_path, tiny=True)
    assert found.missing(metric) is None
    assert found.path(metric, "aesthetic_head").exists()
    assert str(found.revision(metric, "aesthetic_head")).startswith("tiny:")


def test_tiny_weights_are_the_same_everywhere(tmp_path: Path) -> None:
    metric = needing(CLAP)
    folders = [HubAssets("cpu", tmp_path / name, tiny=True).path(metric, "clap") for name in ("a", "b")]
    states = [(folder / "model.safetensors").read_bytes() for folder in folders]
    assert states[0] == states[1]


@pytest.mark.parametrize("metric", sorted(CLASSES))
def test_every_asset_says_its_size_and_licence_and_has_tiny_weights(metric: str) -> None:
    from fvhydra.metrics.models import tiny

    for asset in metric_class(metric).spec.assets:
        assert asset.megabytes and asset.licence
        assert asset.name in tiny.NAMES


# the lock of weights


def pinned(tmp_path: Path) -> Any:
    return json.loads((tmp_path / "own.lock").read_text())["weights"]


def locked(tmp_path: Path) -> HubAssets:
    """As a new process has them, with the lock as it is on disk."""
    return fresh(tmp_path, lock=WeightsLock.read(tmp_path / "own.lock"))


def test_a_repository_stays_at_the_commit_of_its_first_use(hub: HubServer, tmp_path: Path) -> None:
    metric, first = needing(model()), hub.repos["alice/net"].branches["main"]
    found = locked(tmp_path)
    folder = found.path(metric, "net")
    digest = hashlib.sha256(FILES["model.safetensors"]).hexdigest()
    assert pinned(tmp_path)["alice/net"]["revision"] == first == folder.name
    assert pinned(tmp_path)["alice/net"]["files"].keys() == {"config.json", "model.safetensors"}
    assert pinned(tmp_path)["alice/net"]["files"]["model.safetensors"] == digest
    assert found.lock.told() == [f"Pinned for the first time: alice/net; commit {tmp_path / 'own.lock'}."]
    repo = hub.repos["alice/net"]
    assert repo.commit("main", {"model.safetensors": repo.put("blob", b"later")}, "alice", "later") != first
    shutil.rmtree(tmp_path / "hub")
    again = locked(tmp_path)
    assert again.missing(metric) and f"--revision {first}" in again.missing(metric).reason  # type: ignore[union-attr]
    assert (again.path(metric, "net").name, again.lock.told()) == (first, [])
    (again.path(metric, "net") / "model.safetensors").resolve().write_bytes(b"tampered")
    with pytest.raises(WrongWeights, match=rf"net that .*own.lock pins: model.safetensors .* must have {digest}"):
        locked(tmp_path).path(metric, "net")


def test_a_file_stays_what_it_was_at_its_first_use(address: str, tmp_path: Path) -> None:
    metric = needing(Asset("head", address, 1, "MIT"))
    locked(tmp_path).path(metric, "head")
    assert pinned(tmp_path) == {address: {"revision": None, "files": {"head.pth": hashlib.sha256(SINGLE).hexdigest()}}}
    before = (tmp_path / "own.lock").read_text()
    locked(tmp_path).path(metric, "head").write_bytes(b"others")
    with pytest.raises(WrongWeights, match="Remove it and fetch it again") as raised:
        locked(tmp_path).path(metric, "head")
    assert "remove its entry from the lock" in str(raised.value) and address in str(raised.value)
    assert (tmp_path / "own.lock").read_text() == before
    fresh(tmp_path).path(metric, "head")  # nobody asked for a lock


def test_what_has_pins_of_its_own_is_in_no_lock(hub: HubServer, address: str, tmp_path: Path) -> None:
    head = Asset("head", address, 1, "MIT", sha256=hashlib.sha256(SINGLE).hexdigest())
    metric = needing(model(hub.repos["alice/net"].branches["main"]), head)
    found = locked(tmp_path)
    found.path(metric, "net"), found.path(metric, "head")
    assert not (tmp_path / "own.lock").exists()


def test_two_that_pin_at_once_keep_both_pins(hub: HubServer, address: str, tmp_path: Path) -> None:
    metric, one, other = needing(model(), Asset("head", address, 1, "MIT")), locked(tmp_path), locked(tmp_path)
    one.path(metric, "net"), other.path(metric, "head")
    assert pinned(tmp_path).keys() == {"alice/net", address}


@pytest.mark.parametrize("text", ["[]", '{"weights": {"a": 1}}', '{"weight": {}}', "{"])
def test_what_is_no_lock_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "own.lock").write_text(text)
    with pytest.raises(UsageError, match=r"own\.lock"):
        locked(tmp_path)
