# SPDX-License-Identifier: Apache-2.0
"""``op=prefetch``: what the loaders read, at the pinned commit, through whatever the network does on the way."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from fvhydra.core.errors import UsageError
from fvhydra.media.video import encode
from fvhydra.metrics.models.tiny import build_network
from fvhydra.metrics.models.weights import DINO_B16
from fvhydra.metrics.vbench.subject_consistency import SubjectConsistency
from fvhydra.ops.weights import RemoteFile, model_sources, pipeline_files
from fvhydra.testing.command_line import Command, clean_environment
from tests.conftest import Cli
from tests.servers.hub import ALICE, BOB, HubServer, the_only_hub
from tests.servers.hub.git import Pointer
from tests.similarity.conftest import textured

WEIGHTS = random.Random(0).randbytes(3_000_000)
INDEX = b'{"_class_name": "P", "vae": ["diffusers", "V"], "scheduler": ["diffusers", "S"], "safety": [null, null]}'


def _commit(hub: HubServer, name: str, files: Mapping[str, bytes], private: bool = False) -> str:
    """A repository with these files, large ones in LFS; its commit."""
    repo = hub.repos.get(name) or hub.create(name, private=private)
    blobs = {}
    for path, data in files.items():
        if len(data) > 1000 or path.endswith((".safetensors", ".bin")):
            sha256 = hashlib.sha256(data).hexdigest()
            hub.lfs[sha256] = data
            data = Pointer(sha256, len(data)).encode()
        blobs[path] = repo.put("blob", data)
    return repo.commit("main", blobs, name.split("/")[0], "weights")


def _choice(folder: Path, name: str, **settings: Any) -> None:
    (folder / "own" / "model").mkdir(parents=True, exist_ok=True)
    (folder / "own" / "model" / f"{name}.yaml").write_text(yaml.safe_dump({"name": name, "family": name, **settings}))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """A Hub with one model, which ``model=net`` names, and an empty cache."""
    with the_only_hub(monkeypatch, tmp_path / "hub") as server:
        files = {
            "model_index.json": INDEX,
            "vae/config.json": b"{}",
            "vae/model.safetensors": WEIGHTS,
            "vae/model.bin": b"the same",
            "README.md": b"# net",
        }
        _choice(tmp_path, "net", weights="alice/net", revision=_commit(server, "alice/net", files))
        server.requests.clear()
        yield server


def _prefetch(command: Cli, *words: str, **variables: str) -> Command:
    return command("--config-dir=own", "op=prefetch", *words, **variables)


def _snapshot(tmp_path: Path) -> dict[str, bytes]:
    [folder] = (tmp_path / "hub" / "models--alice--net" / "snapshots").iterdir()
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _sent(hub: HubServer) -> list[str]:
    """What was asked for of large files: their ranges."""
    return [request.range for request in hub.requests if request.method == "GET" and "/cdn/" in request.path]


def test_looking_first_leaves_nothing(command: Cli, tmp_path: Path, hub: HubServer) -> None:
    gated = _commit(hub, "carol/gated", {"model_index.json": INDEX})
    hub.repos["carol/gated"].gated = True
    _choice(tmp_path, "closed", weights="carol/gated", revision=gated)
    _choice(tmp_path, "gone", weights="carol/gone")
    seen = _prefetch(command, "model=[net,closed,gone]", "dry_run=true")
    assert seen.code == 2, seen.text
    assert re.search(r"model=net  alice/net at \w{12}  3 file\(s\), 3.00 MB, 0.00 MB here", seen.out), seen.out
    accept = "carol/gated is gated: accept its licence at https://huggingface.co/carol/gated; no token is set: HF_TOKEN"
    assert accept in seen.out and "carol/gone does not exist" in seen.out
    assert not (tmp_path / "hub").exists() and not (tmp_path / "outputs").exists() and _sent(hub) == []
    refused = _prefetch(command, "model=[net,closed]")
    assert refused.code == 2 and "1 of 2 repositories cannot be fetched" in refused.text and _sent(hub) == []
    other = _prefetch(command, "model=closed", HF_TOKEN=BOB)
    assert "the token is that of HF_TOKEN" in other.text and BOB not in other.text
    hub.tokens[ALICE] = hub.tokens[BOB].__class__("carol", False)
    assert _prefetch(command, "model=closed", "dry_run=true", HF_TOKEN=ALICE).code == 0


def test_what_the_loader_reads_and_nothing_twice(command: Cli, tmp_path: Path, hub: HubServer) -> None:
    made = _prefetch(command, "model=net")
    assert made.code == 0 and "0.00 MB are still missing" in made.out, made.text
    wanted = {"model_index.json": INDEX, "vae/config.json": b"{}", "vae/model.safetensors": WEIGHTS}
    assert _snapshot(tmp_path) == wanted
    [folder] = [path.parent for path in (tmp_path / "outputs" / "prefetch").glob("*/result.json")]
    assert '"commit"' in (folder / "result.json").read_text()
    hub.requests.clear()
    again = _prefetch(command, "model=net")
    assert again.code == 0 and _sent(hub) == [] and "3.00 MB here" in again.out
    whole = _prefetch(command, "model=net", "op.whole=true")
    assert whole.code == 0 and {"README.md", "vae/model.bin"} <= _snapshot(tmp_path).keys()


@pytest.mark.parametrize("part", [2**24, 2**20])
def test_through_resets_lies_and_refusals(
    command: Cli, tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    for module in ("weights", "fetching"):
        monkeypatch.setattr(f"fvhydra.ops.{module}.PART_BYTES", part)
    for action, settings in (
        ("reset", {"after_bytes": 1_000_000}),
        ("truncate", {"after_bytes": 700_000}),
        ("status", {"status": 503}),
        ("flip", {}),
        ("reset", {"after_bytes": 100_000}),
    ):
        hub.fault(action, "/cdn/", method="GET", **settings)
    made = _prefetch(command, "model=net")
    assert made.code == 0 and _snapshot(tmp_path)["vae/model.safetensors"] == WEIGHTS, made.text
    ranges = _sent(hub)
    assert len(ranges) >= 6 and all(ranges)
    firsts = [int(asked.removeprefix("bytes=").partition("-")[0]) for asked in ranges]
    assert any(first % part for first in firsts), "a part was begun again instead of gone on with"


def test_what_arrived_is_kept_when_the_hub_is_gone(command: Cli, tmp_path: Path, hub: HubServer) -> None:
    hub.fault("reset", "/cdn/", method="GET", after_bytes=2_000_000)
    hub.fault("status", "/cdn/", method="GET", status=500, times=1000)
    gone = _prefetch(command, "model=net", "op.patience_s=1")
    assert gone.code == 4 and "What has arrived is kept" in gone.text, gone.text
    hub.faults.clear()
    hub.requests.clear()
    made = _prefetch(command, "model=net")
    assert made.code == 0 and _snapshot(tmp_path)["vae/model.safetensors"] == WEIGHTS
    [asked] = _sent(hub)
    assert int(re.findall(r"\d+", asked)[0]) >= 1_000_000
    hub.kill()
    unreachable = _prefetch(command, "model=net")
    assert unreachable.code == 4 and "The Hub cannot be asked for alice/net" in unreachable.text
    hub.restart()


@pytest.mark.slow
def test_a_smoke_run_says_how_long_all_would_take(tmp_path: Path, cache_dir: Path, hub: HubServer) -> None:
    hub.bytes_per_s = 200_000
    environment = clean_environment(tmp_path, cache_dir) | {"HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1"}
    words = ["--config-dir=own", "op=prefetch", "model=net", "op.cache_dir=hub"]
    done = subprocess.run(
        [sys.executable, "-m", "fvhydra", *words, "op.smoke_seconds=3"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = re.search(r"([\d.]+) MB in (\d)\.\d s: 0\.(\d+) MB/s; the rest would take 0\.\d min", done.stdout)
    assert done.returncode == 0 and said and 0.05 < float(said[1]) < 1.2, done.stdout + done.stderr
    assert f"export HF_HUB_CACHE={tmp_path / 'hub'}" in done.stdout
    assert list((tmp_path / "hub").rglob("*.incomplete"))


def test_a_disk_that_is_too_small(
    command: Cli, tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = SimpleNamespace(total=10**9, used=0, free=2**30 + 2_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    refused = _prefetch(command, "model=net")
    assert refused.code == 2 and "1.08 GB free, and 3.00 MB are missing" in refused.text, refused.text
    assert not (tmp_path / "hub").exists()


def test_the_weights_of_metrics(command: Cli, tmp_path: Path, hub: HubServer) -> None:
    files = {"config.json": b"{}", "model.safetensors": b"a" * 2000, "pytorch_model.bin": b"b" * 2000, "tf.h5": b"c"}
    commit = _commit(hub, DINO_B16.repo, files)
    hub.repos[DINO_B16.repo].branches[str(DINO_B16.revision)] = commit
    made = _prefetch(command, "metrics=vbench.subject_consistency")
    assert made.code == 0 and "vbench.subject_consistency dino_b16  facebook/dino-vitb16" in made.out, made.text
    assert ", licence Apache-2.0\n" in made.out and not (tmp_path / "fvhydra-weights.lock").exists()
    [folder] = (tmp_path / "hub" / "models--facebook--dino-vitb16" / "snapshots").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    looked = _prefetch(command, "metrics=[vbench]", "dry_run=true")
    assert "openai/clip-vit-large-patch14 does not exist" in looked.out and "aesthetic_head: https://" in looked.out
    assert "metrics=vbunch: no metric" in _prefetch(command, "metrics=vbunch").text


def test_weights_of_no_known_commit_are_pinned(
    command: Cli, tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset = replace(DINO_B16, repo="alice/dino", revision=None, licence="CC-BY-NC-4.0", commercial=False)
    monkeypatch.setattr(SubjectConsistency, "spec", replace(SubjectConsistency.spec, assets=(asset,)))
    first = _commit(hub, "alice/dino", {"config.json": b"{}", "model.safetensors": b"a" * 2000})
    looked = _prefetch(command, "metrics=vbench.subject_consistency", "dry_run=true")
    assert "licence CC-BY-NC-4.0, not for commercial use" in looked.out, looked.text
    assert not (tmp_path / "fvhydra-weights.lock").exists()
    made = _prefetch(command, "metrics=vbench.subject_consistency")
    assert made.code == 0 and "Pinned for the first time: alice/dino; commit " in made.out, made.text
    pins = json.loads((tmp_path / "fvhydra-weights.lock").read_text())["weights"]["alice/dino"]
    assert pins["revision"] == first and len(pins["files"]) == 2
    _commit(hub, "alice/dino", {"model.safetensors": b"b" * 2000})
    again = _prefetch(command, "metrics=vbench.subject_consistency")
    assert again.code == 0 and f"at {first[:12]}" in again.out and "Pinned" not in again.out, again.text
    [blob] = (tmp_path / "hub").rglob("snapshots/*/model.safetensors")
    blob.resolve().write_bytes(b"c" * 2000)
    wrong = _prefetch(command, "metrics=vbench.subject_consistency")
    assert wrong.code == 4 and "is not the dino_b16 that" in wrong.text and "Remove it" in wrong.text, wrong.text


def test_several_files_of_one_repository(
    command: Cli, tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"a.pth": b"a" * 2000, "b.pth": b"b" * 3000, "c.pth": b"c" * 4000}
    commit = _commit(hub, "alice/all", files)
    assets = [
        replace(DINO_B16, name=name, repo="alice/all", revision=None, files=(name,)) for name in ("a.pth", "b.pth")
    ]
    monkeypatch.setattr(SubjectConsistency, "spec", replace(SubjectConsistency.spec, assets=tuple(assets)))
    made = _prefetch(command, "metrics=vbench.subject_consistency")
    assert made.code == 0 and made.out.count("1 file(s)") == 2, made.text
    pins = json.loads((tmp_path / "fvhydra-weights.lock").read_text())["weights"]
    digests = {name: hashlib.sha256(files[name]).hexdigest() for name in ("a.pth", "b.pth")}
    assert pins == {
        f"alice/all/{name}": {"revision": commit, "files": {name: digest}} for name, digest in digests.items()
    }


def test_an_evaluation_says_the_terms_first_and_pins_what_comes(
    command: Cli, tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset = replace(DINO_B16, repo="alice/dino", revision=None, licence="CC-BY-NC-4.0", commercial=False)
    monkeypatch.setattr(SubjectConsistency, "spec", replace(SubjectConsistency.spec, assets=(asset,)))
    files = {path.name: path.read_bytes() for path in build_network("dino_b16", tmp_path / "tiny").iterdir()}
    _commit(hub, "alice/dino", files)
    encode(tmp_path / "gen" / "a.mp4", textured(3, 32, 48), 24)
    words = ("op=eval", "videos=gen", "+metrics.use.vbench.subject_consistency={}", "metrics.device=cpu")
    done = command(*words)
    assert done.code == 0 and "Pinned for the first time: alice/dino; commit " in done.out, done.text
    [log] = (tmp_path / "outputs").rglob("progress.log")
    assert "alice/dino, 343 MB, licence CC-BY-NC-4.0, not for commercial use" in log.read_text()
    [weights] = (tmp_path / "hub").rglob("snapshots/*/model.safetensors")
    weights.resolve().write_bytes(build_network("clip_b32", tmp_path / "tiny").joinpath("config.json").read_bytes())
    wrong = command(*words, "runtime.output_dir=second")
    assert "1 failed" in wrong.out and "is not the dino_b16 that" in wrong.out, wrong.text


def test_words_for_models() -> None:
    from fvhydra.config.schema import conf_dir

    def named(*words: str) -> list[str]:
        return [source.label.removeprefix("model=") for source in model_sources(words, [conf_dir()])]

    assert named("wan") == ["wan21_t2v_1_3b", "wan22_ti2v_5b"]
    assert named("hunyuan", "cogvideo") == ["hunyuan_i2v", "cogvideox15_5b_i2v"]
    assert named("ltx2", "wan", "ltx2") == ["ltx2", "wan21_t2v_1_3b", "wan22_ti2v_5b"]
    assert len(named("all")) >= 6
    for word in ("nope", ""):
        with pytest.raises(UsageError, match="no model or family"):
            named(word)


def test_which_files_of_a_pipeline_are_read() -> None:
    names = [
        *("model_index.json", "README.md", "a.safetensors", ".gitattributes", "vae/config.json", "vae/a.safetensors"),
        *("vae/a.fp16.safetensors", "vae/a.bin", "vae/a.onnx", "old/b.bin", "old/b.json", "safety/c.safetensors"),
        *("other/d.safetensors", "tokenizer/vocab.txt", "tokenizer/tokenizer.model"),
    ]
    listed = [RemoteFile(name, 1, "git:0") for name in names]
    index = {"_class_name": "P", "vae": ["d", "V"], "old": ["t", "O"], "safety": [None, None], "tokenizer": ["t", "T"]}
    assert {file.path for file in pipeline_files(listed, index)} == {
        *("model_index.json", "vae/config.json", "vae/a.safetensors", "old/b.bin", "old/b.json"),
        *("tokenizer/vocab.txt", "tokenizer/tokenizer.model"),
    }


@pytest.mark.slow
def test_a_pipeline_loads_from_what_was_fetched(command: Cli, tmp_path: Path, cache_dir: Path, hub: HubServer) -> None:
    from fvhydra.engines.tiny.snapshot import build_snapshot

    folder = build_snapshot("wan21_t2v", cache_dir)
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    commit = _commit(hub, "alice/tiny", files | {"transformer/diffusion_pytorch_model.bin": b"x", "notes.md": b"x"})
    _choice(tmp_path, "tiny", weights="alice/tiny", revision=commit)
    assert _prefetch(command, "model=tiny").code == 0
    program = f"""
from diffusers import WanPipeline
pipe = WanPipeline.from_pretrained("alice/tiny", revision="{commit}")
print(sum(p.numel() for p in pipe.transformer.parameters()))
"""
    environment = clean_environment(tmp_path, cache_dir)
    environment |= {"HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1", "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and int(done.stdout) > 0, done.stderr
