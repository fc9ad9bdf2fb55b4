# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fvhydra.config.backend import BackendConfig
from fvhydra.core.case import Case
from fvhydra.core.errors import UsageError
from fvhydra.core.progress import Silent
from fvhydra.engines.base import GeneratedMedia
from fvhydra.engines.diffusers import DiffusersEngine
from fvhydra.engines.pipeline import attention, outputs
from fvhydra.engines.tiny import snapshot
from fvhydra.testing import cases
from tests.conftest import ROOT, clean_environment

MATH = BackendConfig(name="math", folder="MATH", diffusers="_native_math")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def engine(name: str, cache_dir: Path, **changes: Any) -> DiffusersEngine:
    made = DiffusersEngine(cases.engine_config("diffusers"))
    made.load(cases.request(name, cache_dir, **changes), Silent())
    return made


@pytest.fixture(scope="module")
def ltx2(cache_dir: Path) -> Iterator[DiffusersEngine]:
    yield engine("ltx2", cache_dir)


@pytest.fixture(scope="module")
def wan(cache_dir: Path) -> Iterator[DiffusersEngine]:
    yield engine("wan21_t2v_1_3b", cache_dir)


def run(made: DiffusersEngine, case: Case, **changes: Any) -> GeneratedMedia:
    sampling = {key: value for key, value in changes.items() if not hasattr(case, key)}
    case = dataclasses.replace(case, sampling=dataclasses.replace(case.sampling, **sampling))
    rest = {key: value for key, value in changes.items() if key not in sampling}
    return made.generate(dataclasses.replace(case, **rest), Silent())


def test_it_gives_what_the_pipeline_gives_when_called_by_hand(cache_dir: Path, ltx2: DiffusersEngine) -> None:
    import diffusers

    pipe = diffusers.LTX2Pipeline.from_pretrained(snapshot.build_snapshot("ltx2", cache_dir), local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    case = cases.case("ltx2")
    by_hand = pipe(
        prompt=case.prompt,
        height=96,
        width=96,
        num_frames=9,
        num_inference_steps=3,
        frame_rate=24.0,
        guidance_scale=1.0,
        generator=torch.Generator("cpu").manual_seed(7),
        output_type="latent",
        **case.model.call,
        **case.model.smoke_call,
    ).frames
    assert np.array_equal(cases.output(ltx2.generate(case, Silent())), by_hand.numpy())


def test_pixels_of_a_joint_model_come_with_their_sound(ltx2: DiffusersEngine) -> None:
    media = run(ltx2, cases.case("ltx2"), model=cases.model("ltx2", artifact="pixel"))
    assert media.frames is not None and media.frames.shape == (9, 96, 96, 3)
    assert media.audio is not None and media.audio.shape[0] == 2
    assert media.audio_rate == 24000
    assert media.audio.shape[1] / media.audio_rate == pytest.approx(9 / 24, abs=0.1)
    assert 0 < np.abs(media.audio).max() <= 1
    assert {"text_encoder_time_s", "dit_time_s", "vae_decode_time_s"} < set(media.seconds)


def test_sound_alone_can_be_decoded(cache_dir: Path) -> None:
    made = engine("stable_audio_open", cache_dir)
    model = cases.model("stable_audio_open", artifact="pixel", latent=None)
    media = run(made, cases.case("stable_audio_open"), model=model)
    assert media.frames is None
    assert media.audio is not None and media.audio.shape == (2, 44100)
    assert media.audio_rate == 44100


def test_latents_of_cogvideox_are_turned_and_unpadded(cache_dir: Path, tmp_path: Path) -> None:
    name = "cogvideox15_5b_i2v"
    spec = cases.model("ltx2").latent
    model = cases.model(name, artifact="latent", latent=spec)
    made = engine(name, cache_dir, model=model)
    case = cases.case(name, cases.picture(tmp_path / "first.png"), model=model)
    assert cases.output(made.generate(case, Silent())).shape == (1, 16, 3, 8, 8)  # [B, C, T, H, W], 9 frames / 4


def test_fps_reaches_the_model_that_knows_it_and_the_clip_of_the_one_that_does_not(
    ltx2: DiffusersEngine, wan: DiffusersEngine
) -> None:
    assert cases.distance(run(ltx2, cases.case("ltx2"), fps=12), run(ltx2, cases.case("ltx2"))) > 1e-5
    slow, fast = (run(wan, cases.case("wan21_t2v_1_3b"), fps=fps) for fps in (12, 24))
    assert np.array_equal(cases.output(slow), cases.output(fast))
    assert (slow.fps, fast.fps) == (12.0, 24.0)
    assert slow.dropped == {}


def test_flow_shift_is_honoured_or_listed(ltx2: DiffusersEngine, wan: DiffusersEngine) -> None:
    shifted, plain = (run(wan, cases.case("wan21_t2v_1_3b"), flow_shift=shift) for shift in (7.0, 3.0))
    assert cases.distance(shifted, plain) > 1e-3
    assert run(wan, cases.case("wan21_t2v_1_3b"), flow_shift=None).dropped == {}
    assert run(ltx2, cases.case("ltx2"), flow_shift=7.0).dropped == {"flow_shift": 7.0}


def test_settings_of_one_case_do_not_stay_for_the_next(wan: DiffusersEngine) -> None:
    case = cases.case("wan21_t2v_1_3b")
    before = run(wan, case, flow_shift=None)
    run(wan, case, flow_shift=9.0, vae_tiling=True)
    assert np.array_equal(cases.output(run(wan, case, flow_shift=None)), cases.output(before))


def test_tiles_show_where_a_clip_is_larger_than_one(wan: DiffusersEngine) -> None:
    case = cases.case("wan21_t2v_1_3b")
    whole, tiled = (run(wan, case, height=272, width=32, num_frames=1, vae_tiling=tiles) for tiles in (False, True))
    assert not np.array_equal(cases.output(whole), cases.output(tiled))


def test_what_cannot_be_honoured_is_listed(ltx2: DiffusersEngine) -> None:
    media = run(ltx2, cases.case("ltx2"), negative_prompt="blurry", audio_s=2.0, num_gpus=2, sp_size=2)
    # guidance 1 has no negative branch, and one device no split
    assert media.dropped == {"negative_prompt": "blurry", "audio_s": 2.0, "num_gpus": 2, "sp_size": 2}
    guided = run(ltx2, cases.case("ltx2"), negative_prompt="blurry", guidance_scale=3.0)
    assert guided.dropped == {}
    assert guided.arguments["negative_prompt"] == "blurry"


def test_the_negative_prompt_shows_where_it_is_not_dropped(wan: DiffusersEngine) -> None:
    case = cases.case("wan21_t2v_1_3b")
    assert cases.distance(run(wan, case, negative_prompt="static worst quality"), run(wan, case)) > 1e-4


def test_an_embedded_guidance_scale_is_no_place_for_a_negative_prompt(cache_dir: Path, tmp_path: Path) -> None:
    made = engine("hunyuan_i2v", cache_dir)
    case = cases.case("hunyuan_i2v", cases.picture(tmp_path / "first.png"), negative_prompt="blurry")
    assert made.generate(case, Silent()).dropped == {"negative_prompt": "blurry"}
    model = cases.model("hunyuan_i2v", call={"true_cfg_scale": 4.0})
    assert run(made, case, model=model).dropped == {}


@pytest.mark.parametrize("name", ["wan22_ti2v_5b", "ltx2"])
def test_an_image_model_can_share_the_weights_of_the_text_model(name: str, cache_dir: Path, tmp_path: Path) -> None:
    texts, images = engine(name, cache_dir), engine(name, cache_dir, with_image=True)
    assert texts.facts()["pipeline"] == cases.model(name).pipeline
    assert images.facts()["pipeline"] == cases.model(name).image_pipeline
    assert texts.facts()["weights_revision"] == images.facts()["weights_revision"]
    first, second = (cases.picture(tmp_path / f"{shift}.png", shift) for shift in (0, 90))
    clips = [run(images, cases.case(name), image=path) for path in (first, second)]
    assert cases.distance(*clips) > 1e-3
    assert "image" in run(texts, cases.case(name), image=first).dropped


@pytest.mark.parametrize(
    ("extras", "message"),
    [
        ({"max_sequence_lenght": 128}, r"LTX2Pipeline has no such argument.*Did you mean 'max_sequence_length'"),
        ({"num_frames": 17}, r"model\.call\.num_frames is decided by the case"),
        ({"generator": 1}, r"model\.call\.generator is decided by the case"),
    ],
)
def test_arguments_of_the_call_are_checked_by_name(ltx2: DiffusersEngine, extras: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run(ltx2, cases.case("ltx2"), model=cases.model("ltx2", call=extras))


@pytest.mark.parametrize(("key", "value"), [("pipeline", "LTX2Pipelin"), ("pipeline", "__version__")])
def test_a_pipeline_that_diffusers_does_not_have_is_named(cache_dir: Path, key: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"model.pipeline={value} is not a class of diffusers"):
        engine("ltx2", cache_dir, model=cases.model("ltx2", **{key: value}))


def test_the_attention_backend_is_resolved_and_read_back(cache_dir: Path, ltx2: DiffusersEngine) -> None:
    other = engine("ltx2", cache_dir, backend=MATH)
    assert ltx2.facts()["attention_backend"] == "native"
    assert other.facts()["attention_backend"] == "_native_math"
    # layers without a switch are told apart from those that have it
    assert engine("hunyuan_i2v", cache_dir, backend=MATH).facts()["attention_backend"] == "_native_math+native"


def test_two_engines_keep_their_own_attention_backends(cache_dir: Path, ltx2: DiffusersEngine) -> None:
    case = cases.case("ltx2")
    before = cases.output(run(ltx2, case))
    other = engine("ltx2", cache_dir, backend=MATH)
    assert np.array_equal(cases.output(run(ltx2, case)), before)
    assert cases.distance(run(other, case), run(ltx2, case)) < 1e-6


@pytest.mark.parametrize("word", ["flash_attn", "sage_attn", "video_sparse_attn"])
def test_a_backend_that_is_not_here_is_refused_with_those_that_are(cache_dir: Path, word: str) -> None:
    with pytest.raises(UsageError, match=rf"backend={word} .*native"):
        engine("ltx2", cache_dir, backend=cases.backend(word))


def test_a_backend_that_no_layer_honours_is_refused(cache_dir: Path) -> None:
    with pytest.raises(UsageError, match=r"backend=math was asked for, but .* run native"):
        engine("stable_audio_open", cache_dir, backend=MATH)


def test_a_switch_that_does_nothing_is_noticed(cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import diffusers

    monkeypatch.setattr(diffusers.WanTransformer3DModel, "set_attention_backend", lambda *_: None)
    with pytest.raises(UsageError, match="backend=math was asked for, but"):
        engine("wan21_t2v_1_3b", cache_dir, backend=MATH)


def test_torchs_own_attention_is_available_everywhere() -> None:
    assert "native" in attention.available()


def test_a_gpu_that_is_not_there_is_refused(cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match=r"gpu=b200 needs 1 CUDA device.*finds none"):
        engine("ltx2", cache_dir, gpu=cases.gpu(1))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "NVIDIA GB200")
    with pytest.raises(UsageError, match="found: NVIDIA GB200"):
        engine("ltx2", cache_dir, gpu=cases.gpu(1))
    with pytest.raises(UsageError, match=r"needs 2 device\(s\), but 1 found: NVIDIA GB200"):
        engine("ltx2", cache_dir, gpu=cases.gpu(2))


def test_real_weights_are_never_perturbed(cache_dir: Path) -> None:
    with pytest.raises(UsageError, match="tiny weights only"):
        engine("ltx2", cache_dir, tier=cases.tier("default", perturb_weights=0.1))


@pytest.mark.parametrize("options", [{"offload": "disk"}, {"offlaod": "model"}])
def test_options_of_the_engine_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"engine\.options\.off"):
        DiffusersEngine(cases.engine_config("diffusers", **options))


def test_threads_are_set_and_recorded(cache_dir: Path) -> None:
    before = torch.get_num_threads()
    try:
        assert engine("ltx2", cache_dir, threads=2).facts()["threads"] == 2
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_times_are_of_one_call_and_fit_into_its_total(wan: DiffusersEngine) -> None:
    first = run(wan, cases.case("wan21_t2v_1_3b")).seconds
    seconds = dict(first)
    run(wan, cases.case("wan21_t2v_1_3b"))
    assert first == seconds  # nothing of a call keeps counting in the next
    total = seconds.pop("total_s")
    assert set(seconds) == {"text_encoder_time_s", "dit_time_s", "vae_decode_time_s"}
    assert all(value > 0 for value in seconds.values())
    assert 0.5 * total < sum(seconds.values()) <= total


def test_bytes_are_rounded_to_the_nearest() -> None:
    frames = np.array([[[[0.0, 1.0, 0.5], [127.4 / 255, 127.6 / 255, 1.2]]]])
    assert outputs.to_uint8(frames).tolist() == [[[[0, 255, 128], [127, 128, 255]]]]


HUB = """
import json, sys
from pathlib import Path
from fvhydra.core.errors import FvhydraError
from fvhydra.core.progress import Silent
from fvhydra.testing import cases
from tests.engines.test_diffusers import engine

def attempt(changes):
    model = cases.model("ltx2", **{"weights": "acme/ltx2", **changes})
    tier = cases.tier("default")
    try:
        made = engine("ltx2", Path(sys.argv[2]), model=model, tier=tier)
        media = made.generate(cases.case("ltx2", model=model, tier=tier), Silent())
    except FvhydraError as error:
        return {"error": error.message, "code": error.exit_code}
    parts = made._loaded.pipe.components
    return {"revision": made.facts()["weights_revision"], "shape": list(media.latent.shape),
            "dtypes": {name: str(parts[name].dtype) for name in ("vae", "transformer")}}

print(json.dumps([attempt(changes) for changes in json.loads(sys.argv[1])]))
"""

REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"revision": None}, 4, "model.weights=acme/ltx2 is not in the local cache and the Hub cannot be reached"),
    ({"revision": COMMIT, "weights": "acme/other"}, 4, "model.weights=acme/other is not in the local cache"),
    ({"revision": COMMIT, "pipeline": "WanPipeline"}, 4, "acme/ltx2 did not load as WanPipeline at 0123456789ab"),
    ({"revision": COMMIT, "component_dtypes": {"vea": "float32"}}, 2, "model.component_dtypes names vea"),
]


def test_real_weights_load_at_their_commit_in_their_dtypes_or_say_why_not(tmp_path: Path, cache_dir: Path) -> None:
    # the tiny weights, laid out as a download of acme/ltx2, and no way to the Hub
    download = tmp_path / "hub" / "models--acme--ltx2" / "snapshots" / COMMIT
    shutil.copytree(snapshot.build_snapshot("ltx2", cache_dir), download)
    good = {
        "revision": COMMIT,
        "component_dtypes": {"vae": "float32"},
        "call": {"max_sequence_length": 128, **cases.model("ltx2").call},
    }
    done = subprocess.run(
        [sys.executable, "-c", HUB, json.dumps([good, *(changes for changes, *_ in REFUSED)]), str(cache_dir)],
        cwd=ROOT,
        env=clean_environment(tmp_path, cache_dir) | {"HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded, *refused = json.loads(done.stdout.splitlines()[-1])
    assert loaded == {
        "revision": COMMIT,
        "shape": [1, 128, 2, 3, 3],
        "dtypes": {"vae": "torch.float32", "transformer": "torch.bfloat16"},
    }
    for found, (_, code, message) in zip(refused, REFUSED, strict=True):
        assert message in found["error"]
        assert "\n" not in found["error"]
        assert found["code"] == code
