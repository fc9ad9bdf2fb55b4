# SPDX-License-Identifier: Apache-2.0
"""``op=check_ssim``: odd references are named and cost only their own case; CI makes drafts of what is missing."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from fvhydra.config.store import LocalStoreConfig
from fvhydra.media import video
from fvhydra.stores.local import LocalStore
from tests.conftest import Cli
from tests.ops.folders import latest_of, tree_of

MOCK = ("engine=mock", "model=wan21_t2v_1_3b")
FOLDER = "reference_videos/smoke/CPU_reference_videos"
WAN = f"{FOLDER}/Wan2.1-T2V-1.3B-Diffusers/TORCH_SDPA"
LTX2 = f"{FOLDER}/LTX2-Distilled-Diffusers/TORCH_SDPA"


def _put(folder: Path, path: str, content: bytes) -> None:
    """A reference as today's data sets have it: no sidecar."""
    store = LocalStore(LocalStoreConfig(_target_="", name="local", path=str(folder / "store")))
    store.commit({path: content}, message="by hand")


def _clip(folder: Path, frames: int = 9, height: int = 176, width: int = 176, fps: float = 24) -> bytes:
    rng = np.random.default_rng(0)
    path = folder / "clip.mp4"
    video.encode(path, rng.integers(0, 256, (frames, height, width, 3), np.uint8), fps)
    return path.read_bytes()


def _audio_only(folder: Path) -> bytes:
    import av

    path = folder / "audio.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.read_bytes()


def _case(folder: Path) -> dict:
    return json.loads((folder / "outputs" / "latest" / "result.json").read_text())["cases"][0]


@pytest.mark.parametrize("damage", ["zero bytes", "garbage", "truncated", "audio only"])
def test_a_damaged_video_is_named(cli: Cli, tmp_path: Path, damage: str) -> None:
    content = {
        "zero bytes": lambda: b"",
        "garbage": lambda: b"not a video at all" * 100,
        "truncated": lambda: _clip(tmp_path)[:-2000],
        "audio only": lambda: _audio_only(tmp_path),
    }[damage]()
    _put(tmp_path, f"{WAN}/a cat.mp4", content)
    command = cli("op=check_ssim", "engine=mock", "model=wan21_t2v_1_3b", "prompt=a cat")
    assert command.code == 4, command.text
    assert "a cat.mp4" in command.out and "Traceback" not in command.text


@pytest.mark.parametrize(
    ("other", "named"),
    [({"frames": 8}, "frame counts differ"), ({"height": 192}, "sizes differ"), ({"fps": 25}, "frame rates differ")],
)
def test_another_length_size_or_rate_is_a_regression_that_names_it(
    cli: Cli, tmp_path: Path, other: dict, named: str
) -> None:
    _put(tmp_path, f"{WAN}/a cat.mp4", _clip(tmp_path, **other))
    command = cli("op=check_ssim", "engine=mock", "model=wan21_t2v_1_3b", "prompt=a cat")
    assert command.code == 1 and named in command.out, command.text
    assert _case(tmp_path)["comparison"]["mean_ssim"] is None


class _Evil:
    def __reduce__(self) -> tuple:
        return os.system, ("touch executed",)


@pytest.mark.parametrize("content", [pickle.dumps(_Evil()), b"", b"PK\x03\x04 nothing", pickle.dumps({"latent": 1})])
def test_a_pickle_never_runs_and_a_stranger_is_no_bundle(cli: Cli, tmp_path: Path, content: bytes) -> None:
    _put(tmp_path, f"{LTX2}/a cat.pt", content)
    command = cli("op=check_ssim", "engine=mock", "prompt=a cat")
    assert command.code == 4 and "a cat.pt" in command.out, command.text
    assert not (tmp_path / "executed").exists() and "Traceback" not in command.text


def test_an_evil_object_inside_a_real_torch_file_never_runs(cli: Cli, tmp_path: Path) -> None:
    torch.save({"latent": _Evil()}, tmp_path / "evil.pt")
    _put(tmp_path, f"{LTX2}/a cat.pt", (tmp_path / "evil.pt").read_bytes())
    assert cli("op=check_ssim", "engine=mock", "prompt=a cat").code == 4
    assert not (tmp_path / "executed").exists()


def test_a_reference_of_today_without_a_sidecar_is_compared_and_says_so(cli: Cli, tmp_path: Path) -> None:
    cli("op=generate", "engine=mock", "prompt=a cat")
    [artifact] = (tmp_path / "outputs" / "latest" / "artifacts").rglob("*.pt")
    _put(tmp_path, f"{LTX2}/a cat.pt", artifact.read_bytes())
    command = cli("op=check_ssim", "engine=mock", "prompt=a cat")
    assert command.code == 0, command.text
    assert "Recipe unknown for 1 reference" in command.out and _case(tmp_path)["recipe_known"] is False


def test_one_damaged_reference_costs_only_its_own_case(cli: Cli, tmp_path: Path) -> None:
    cli("op=seed_ssim", "engine=mock", "model=wan21_t2v_1_3b", "op.confirm=upload")
    first = next((tmp_path / "store" / "current").rglob("A lone hiker*.mp4"))
    _put(tmp_path, f"{WAN}/{first.name}", b"garbage")
    command = cli("op=check_ssim", "engine=mock", "model=wan21_t2v_1_3b")
    assert command.code == 4, command.text
    cases = json.loads((tmp_path / "outputs" / "latest" / "result.json").read_text())["cases"]
    assert [case["verdict"] for case in cases] == ["pass", "infrastructure"]


def test_ci_bootstraps_drafts_and_still_fails(cli: Cli, tmp_path: Path) -> None:
    cli("op=seed_ssim", *MOCK, "prompt_index=0", "op.confirm=upload")
    command = cli("op=check_ssim", *MOCK, "op.bootstrap=true")
    assert command.code == 3, command.text
    drafts = [path for path in tree_of(tmp_path) if path.startswith("drafts/")]
    assert len(drafts) == 2 and all("A lone hiker" in path for path in drafts)
    assert [case["verdict"] for case in latest_of(tmp_path)["cases"]] == ["pass", "no_reference"]
    assert cli("op=check_ssim", *MOCK, "op.bootstrap=true").code == 3, "the draft stays"
    assert cli("op=promote", *MOCK, "op.confirm=upload").code == 0
    assert cli("op=check_ssim", *MOCK).code == 0
