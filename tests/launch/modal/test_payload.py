# SPDX-License-Identifier: Apache-2.0
"""What travels to a container: the job, and the files that it reads, under the paths that they have here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from PIL import Image

from fvhydra.config.launcher import ModalLauncherConfig
from fvhydra.config.load import build_config
from fvhydra.config.root import Config
from fvhydra.config.schema import conf_dir, register
from fvhydra.config.store import LocalStoreConfig
from fvhydra.core import files
from fvhydra.core.case import Case
from fvhydra.core.errors import UsageError
from fvhydra.core.progress import Silent
from fvhydra.core.run import RunFolder
from fvhydra.core.token import WITHHELD_VARIABLE
from fvhydra.launch import plugins
from fvhydra.launch.job import Job
from fvhydra.launch.job_file import read_job, write_job
from fvhydra.launch.modal.call_log import ModalCall, calls, latest, remember
from fvhydra.launch.modal.payload import pack, refuse_unsendable
from fvhydra.launch.modal.resources import gpu_string
from fvhydra.ops.context import Prepared
from fvhydra.stores.local import LocalStore
from tests.evaluation.clips import write_clip

OURS = "reference_videos/smoke/CPU_reference_videos/Wan2.2-TI2V-5B-Diffusers/TORCH_SDPA/a cat.mp4"
OTHERS = "reference_videos/smoke/CPU_reference_videos/another/TORCH_SDPA/a cat.mp4"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FVHYDRA_STORE", "~/store")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "first.png").write_bytes(b"a picture")
    (tmp_path / "prompts.json").write_text(json.dumps([{"text": "a cat", "image": "~/first.png"}]))
    return tmp_path


def _job(home: Path, *words: str) -> Job:
    register()
    plugins.register()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        config = build_config(compose("config", ["engine=mock", "model=wan22_ti2v_5b", "launcher=modal", *words]))
    return Job(0, "title", config, RunFolder(home / "sweep" / "0"), ["fvhydra"], list(words))


def _cases(config: Config) -> list[Case]:
    return Prepared(config).cases


def _packed(job: Job) -> dict[str, Any]:
    assert isinstance(job.config.launcher, ModalLauncherConfig)
    write_job(job)
    return pack(job, job.config.launcher, "results/0")


def test_a_parcel_is_data_that_another_python_understands(home: Path) -> None:
    payload = _packed(_job(home, "prompt_file=prompts.json"))
    files = payload.pop("files")
    assert json.loads(json.dumps(payload)) == payload and all(type(data) is bytes for data in files.values())
    assert payload["variables"]["FVHYDRA_CPUS"] == "4"  # a container sees those of its host


@pytest.mark.parametrize(("secrets", "told"), [("[]", "HF_TOKEN"), ("[hub]", None)])
def test_a_job_is_told_of_a_token_that_it_was_not_given_unless_a_secret_may_hold_one(
    home: Path, monkeypatch: pytest.MonkeyPatch, secrets: str, told: str | None
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_planted")
    payload = _packed(_job(home, "prompt=a cat", f"launcher.secrets={secrets}"))
    assert payload["variables"].get(WITHHELD_VARIABLE) == told
    assert "hf_planted" not in repr(payload)


def test_prompts_are_read_here_and_pictures_keep_their_paths(
    home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    job = _job(home, "prompt_file=prompts.json", "op=check_ssim")
    payload = _packed(job)
    sent = {path for path in payload["files"] if not path.startswith(str(home / "store"))}
    assert sent == {str(home / name) for name in ("sweep/0/job.json", "first.png")}
    config = _received(payload, tmp_path_factory.mktemp("there"))
    assert config.runtime.cache_dir == "/root/data/.cache/fvhydra"
    assert isinstance(config.store, LocalStoreConfig) and config.store.path == str(home / "store")
    assert [case.recipe for case in _cases(config)] == [case.recipe for case in _cases(job.config)]


def test_of_the_prompts_that_are_not_asked_for_no_picture_is_sent(
    home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (home / "second.png").write_bytes(b"another picture")
    prompts = [{"text": "a cat", "image": "first.png"}, {"text": "a dog", "image": "second.png", "samples": 2}]
    (home / "prompts.json").write_text(json.dumps(prompts))
    job = _job(home, "prompt_file=prompts.json", "prompt_index=1")
    payload = _packed(job)
    assert b"another picture" in payload["files"].values() and b"a picture" not in payload["files"].values()
    there = _cases(_received(payload, tmp_path_factory.mktemp("there")))
    assert [(case.index, case.seed) for case in there] == [(case.index, case.seed) for case in _cases(job.config)]
    assert [case.recipe for case in there] == [case.recipe for case in _cases(job.config)]


def _received(payload: dict[str, Any], there: Path) -> Config:
    """The configuration that arrives."""
    (there / "job.json").write_bytes(payload["files"][f"{payload['folder']}/job.json"])
    return read_job(there).config


def test_of_a_local_store_only_what_the_cases_need_is_sent(
    home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = LocalStore(LocalStoreConfig(_target_="", name="local", path="~/store"))
    store.commit({OURS: b"mine", OTHERS: b"not mine"}, message="both")
    files = _packed(_job(home, "prompt_file=prompts.json", "op=check_ssim"))["files"]

    there = tmp_path_factory.mktemp("there")
    for path, data in files.items():
        (there / Path(path).relative_to("/")).parent.mkdir(parents=True, exist_ok=True)
        (there / Path(path).relative_to("/")).write_bytes(data)
    copy = LocalStore(LocalStoreConfig(_target_="", name="local", path=str(there / home.relative_to("/") / "store")))
    assert copy.head() == store.head() and copy.files() == store.files()
    assert copy.fetch([OURS], there / "fetched")[OURS].read_bytes() == b"mine"
    assert b"not mine" not in files.values()


@pytest.mark.parametrize(
    "words",
    [
        "op=generate videos=clips",
        "op=publish",
        "op=generate run=outputs/latest",
        "op=eval_compare runs=[one,two]",
        "op=eval videos=clips op.resume_from=outputs/latest",
        "op=eval videos=clips metrics=lpips metrics.assets.lpips_alex=weights",
    ],
)
def test_what_cannot_be_sent_is_refused(home: Path, words: str) -> None:
    named = words.split()[-1].partition("=")[0]
    with pytest.raises(UsageError, match=named):
        refuse_unsendable(_job(home, *words.split()))


def test_a_shard_without_clips_is_one_there_too(home: Path) -> None:
    write_clip(home / "clips", "a.mp4")
    found = []
    for shard in range(2):
        job = _job(home, "op=eval", "videos=clips", "metrics=temporal", "op.shards=2", f"op.shard={shard}")
        packed = job.op.job_inputs(job.context(Silent()))
        for path, data in packed.files.items():
            files.write_bytes(path, path.read_bytes() if data is None else data)
        there = replace(job, config=packed.config)
        there.op.preflight(there.context(Silent()))
        found.append(len(packed.files))
    assert sorted(found) == [1, 2]  # the manifest of each, and the clip


def test_a_folder_of_frames_is_sent_frame_by_frame(home: Path) -> None:
    (home / "frames").mkdir()
    for index in range(3):
        Image.new("RGB", (16, 16)).save(home / "frames" / f"{index:03}.png")
    job = _job(home, "op=eval", "videos=frames", "op.fps=8", "metrics=temporal")
    packed = job.op.job_inputs(job.context(Silent()))
    [manifest] = [data for data in packed.files.values() if data is not None]
    assert json.loads(manifest)["fps"] == 8
    assert sorted(path.name for path, data in packed.files.items() if data is None) == ["000.png", "001.png", "002.png"]


def test_too_much_for_one_job_is_refused(home: Path) -> None:
    (home / "clips").mkdir()
    with open(home / "clips" / "long.mp4", "wb") as handle:
        handle.truncate(2**30)  # takes no room on the disk
    words = ("op=eval", "videos=clips", "metrics=temporal")
    with pytest.raises(UsageError, match=r"1\.0 GiB"):
        refuse_unsendable(_job(home, *words))
    with open(home / "clips" / "long.mp4", "wb") as handle:
        handle.truncate(2**20)
    refuse_unsendable(_job(home, *words))


def test_a_gpu_that_modal_does_not_have_is_refused(home: Path) -> None:
    with pytest.raises(UsageError, match="gpu=a40 is not a GPU that Modal has"):
        gpu_string(_job(home, "gpu=a40"))
    assert gpu_string(_job(home, "gpu=h200", "tier=default", "model=ltx2")) == "H200:2"
    assert gpu_string(_job(home, "gpu=b200")) == "B200" and gpu_string(_job(home)) is None


def test_the_record_of_calls_keeps_the_newest_of_a_job_and_says_when_it_is_damaged(tmp_path: Path) -> None:
    assert calls(tmp_path) == []
    first, second = (ModalCall(0, "abc", name, "outputs", "results/0", detached=True) for name in ("fc-1", "fc-2"))
    remember(tmp_path, first)
    remember(tmp_path, second)
    assert calls(tmp_path) == [first, second] and latest(tmp_path) == {(0, "abc"): second}
    for damaged in ("[]", "{", '{"schema_version": 1, "calls": [{"job": 0}]}', '{"schema_version": 9, "calls": []}'):
        (tmp_path / "modal.json").write_text(damaged)
        with pytest.raises(UsageError, match=r"modal\.json"):
            calls(tmp_path)
