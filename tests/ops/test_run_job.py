# SPDX-License-Identifier: Apache-2.0
"""``op=run_job``: the clips of a story, each from the last frame of the one before."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fvhydra.core.files import sha256_bytes, sha256_file
from fvhydra.core.progress import Silent
from fvhydra.media.audio import read_audio
from fvhydra.media.picture import read_image
from fvhydra.media.video import decode, probe
from fvhydra.ops.job_plan import plan_job
from fvhydra.ops.run_job import RunJob
from tests.conftest import Cli
from tests.launch.jobs import job
from tests.ops.folders import latest_of
from tests.ops.story import STORY, TOYS, WORDS, digests, made, record, runs_of, write_story


def test_the_example_needs_nothing_else(cli: Cli, tmp_path: Path) -> None:
    done = cli("op=run_job", "job=example_mock")
    assert done.code == 0, done.text
    assert "3 clip(s), 33 frames in final_stitched.mp4" in done.out
    [run] = runs_of(tmp_path, "example_mock")
    found = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    numbers = range(3)
    assert found >= {
        *(f"clips/clip_{index:03}.mp4" for index in numbers),
        *(f"frames/last_frame_{index:03}.png" for index in numbers),
        *(f"logs/log_{index:03}.json" for index in numbers),
        *("manifest.json", "result.json", "final_stitched.mp4", "frames/init_image.png", "report/index.html"),
        *("status/status.json", "status/progress.log", "status/stdout.log"),
    }
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["job"]["name"] == "example_mock" and manifest["job"]["budget_s"] == 1800
    assert [case["after"] for case in manifest["cases"]] == [None, 0, 1]
    for artifact in manifest["artifacts"]:
        assert sha256_file(run / artifact["path"]) == artifact["sha256"]


def test_the_frame_that_is_handed_on_is_what_the_engine_produced(cli: Cli, tmp_path: Path) -> None:
    write_story(tmp_path)
    assert cli(*TOYS).code == 0
    [run] = runs_of(tmp_path)
    for index in range(3):
        log = record(run, index)
        frame = read_image(run / log["last_frame"]["path"])
        assert sha256_bytes(frame.tobytes()) == log["last_frame"]["pixels_sha256"]
        assert sha256_file(run / log["clip"]["path"]) == log["clip"]["sha256"]
        if index:
            begun = log["conditioning"]
            before = record(run, index - 1)["last_frame"]
            assert begun == {"kind": "clip", "clip": index - 1, "frame": before, "difference": 0.0}
            # the mock begins with exactly what it is given, so a frame that was encoded on the way would show
            assert log["first_frame"]["pixels_sha256"] == before["pixels_sha256"]
            *_, decoded = decode(run / record(run, index - 1)["clip"]["path"])
            assert not np.array_equal(decoded, read_image(run / before["path"]))


def test_a_clip_may_begin_with_another_clip_a_picture_or_nothing(cli: Cli, tmp_path: Path) -> None:
    write_story(
        tmp_path,
        init_image=None,
        clips=[
            {"prompt": "one", "id": "first", "chain": "none", "seed": 5},
            {"prompt": "two", "chain": "none", "negative_prompt": "fog"},
            {"prompt": "three", "chain": "clip:first", "sampling": {"guidance_scale": 2.5}},
            {"prompt": "three", "chain": "image:pictures/a.png"},
        ],
    )
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (192, 192), (200, 10, 10)).save(tmp_path / "pictures" / "a.png")
    assert cli(*TOYS, "seed=70").code == 0
    [run] = runs_of(tmp_path)
    logs = [record(run, index) for index in range(4)]
    assert [log["conditioning"]["kind"] for log in logs] == ["none", "none", "clip", "image"]
    assert logs[2]["conditioning"]["frame"] == logs[0]["last_frame"]
    assert logs[3]["conditioning"]["frame"]["sha256"] == sha256_file(tmp_path / "pictures" / "a.png")
    assert logs[3]["conditioning"]["frame"]["path"] == "frames/image_003.png"
    assert [log["seed"] for log in logs] == [5, 71, 72, 73]
    assert [log["negative_prompt"] for log in logs] == [None, "fog", None, None]
    assert [log["sampling"]["guidance_scale"] for log in logs] == [5.0, 5.0, 2.5, 5.0]
    assert not {"seed", "negative_prompt"} & logs[1]["sampling"].keys()  # the clip's own stand above
    # nothing is repeated: the third goes on from the first, which is not right before it
    assert probe(run / "final_stitched.mp4").frames == sum(log["facts"]["frames"] for log in logs)


def test_the_whole_has_every_frame_once(cli: Cli, tmp_path: Path) -> None:
    write_story(tmp_path)
    assert cli(*TOYS, "+engine.options.sound=true").code == 0
    [run] = runs_of(tmp_path)
    clips = [list(decode(run / "clips" / f"clip_{index:03}.mp4")) for index in range(3)]
    expected = [*clips[0], *clips[1][1:], *clips[2][1:]]
    whole = list(decode(run / "final_stitched.mp4"))
    assert len(whole) == len(expected) == 9 + 8 + 16
    assert all(np.array_equal(one, other) for one, other in zip(whole, expected, strict=True))
    [stitched] = [item for item in latest_manifest(tmp_path)["artifacts"] if item["path"] == "final_stitched.mp4"]
    assert (stitched["pictures"], stitched["sound"], stitched["fps"]) == ("copied", "encoded", 8.0)
    assert stitched["by"].startswith("PyAV ") and [part["left_out"] for part in stitched["clips"]] == [0, 1, 1]
    sound = read_audio(run / "final_stitched.mp4")
    assert abs(sound.samples.shape[1] - 33 / 8 * 16000) <= 1024
    for tone, begin, end in ((200, 0, 9), (400, 9, 17), (600, 17, 33)):
        heard = sound.samples[0, round((begin / 8 + 0.05) * 16000) : round((end / 8 - 0.05) * 16000)]
        assert np.argmax(np.abs(np.fft.rfft(heard))) * 16000 / len(heard) == pytest.approx(tone, abs=4)


def latest_manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "outputs" / "latest" / "manifest.json").read_text())
    return found


def test_the_same_job_gives_the_same_bytes(cli: Cli, tmp_path: Path) -> None:
    write_story(tmp_path)
    assert cli(*WORDS).code == 0 and cli(*WORDS, "resume=false").code == 0
    first, second = runs_of(tmp_path)
    assert digests(first) == digests(second)


def test_all_that_is_wrong_is_said_at_once_each_with_its_place(cli: Cli, tmp_path: Path) -> None:
    write_story(
        tmp_path,
        hight=3,
        init_image="nowhere.png",
        clips=[
            {"prompt": "one", "num_frames": 8, "id": "a"},
            {"prompt": " ", "id": "a"},
            {"prompt": "three", "chain": "clip:later", "sampling": {"steps": 3}},
            {"prompt": "four", "id": "later", "chain": "image:b.png"},
            "five",
        ],
    )
    done = cli(*WORDS, "prompt=x")
    assert done.code == 2 and not (tmp_path / "outputs").exists()
    for problem in (
        "job_file=story.yaml has 10 problems:",
        "hight: there is no such key. Did you mean 'height'?",
        "clips[0].num_frames=8: must be a multiple of 4 plus 1 for model=wan22_ti2v_5b; nearest: 5 or 9.",
        "init_image=nowhere.png: There is no picture nowhere.png.",
        "clips[1].prompt=' ': must have a text.",
        "clips[1].id=a: clips[0] is called so already.",
        "clips[2].chain=clip:later: must be an earlier clip, not clips[3], which comes later.",
        "clips[2].sampling.steps: there is no such key.",
        "clips[3].chain=image:b.png: There is no picture b.png.",
        "clips[4]='five': must be keys with their values.",
        "prompt=x: a job has its prompts itself.",
    ):
        assert problem in done.text, done.text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "op=run_job needs a job."),
        (("job=example_mock", "job_file=story.yaml"), "job= and job_file= are both given."),
        (("job_file=story.toml",), "unknown extension; allowed: .yaml, .yml, .json."),
        (("job_file=none.yaml",), "There is no job file none.yaml."),
        (("job=exampel_mock",), "there is no such job. Did you mean 'example_mock'?"),
        (("job_file=story.yaml", "model=ltx2"), "model=ltx2 is compared as latent, and clips are made of frames"),
        (("job_file=story.yaml", "model=wan21_t2v_1_3b"), "takes no first frame; it can only be none"),
        (("job_file=empty.yaml",), "The job is empty."),
        (("job=example_mock", "job.clips.2.num_frames=-1"), "clips[2].num_frames=-1: must be greater than 0."),
    ],
)
def test_a_job_that_cannot_be_is_refused(cli: Cli, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    write_story(tmp_path)
    (tmp_path / "empty.yaml").touch()
    done = cli("op=run_job", "engine=mock", *words)
    assert done.code == 2 and said in done.text, done.text
    assert not (tmp_path / "outputs").exists()


def test_a_dry_run_shows_what_would_be_made(cli: Cli, tmp_path: Path) -> None:
    write_story(tmp_path, guardrails={"max_clip_seconds": 20})
    done = cli(*WORDS, "dry_run=true")
    assert done.code == 0 and not (tmp_path / "outputs").exists()
    said = " ".join(done.out.split())
    assert "3 clip(s) of story; at most 20 s each, 60 s in all." in said
    assert "clip_000: 192x192, 9 frames at 8 fps, seed 1024, begins with init_image; clips/clip_000.mp4" in said
    assert "clip_002: 192x192, 17 frames at 8 fps, seed 1026, begins with the last frame of clip_001" in said


def test_a_dry_run_says_all_that_is_wrong(command: Cli, tmp_path: Path) -> None:
    clips = [{"prompt": "one", "chain": "image:b.png"}, {"prompt": "two", "num_frames": 8}]
    write_story(tmp_path, clips=clips, height=100, width=128)
    done = command(*WORDS, "dry_run=true")
    assert done.code == 2 and " ".join(done.out.split()).count("job_file=story.yaml has 3 problems:") == 1, done.text
    for problem in ("clips[0].chain=image:b.png: There is no", "clips[1].num_frames=8: must", "height=100: must"):
        assert f"  job 0: - {problem}" in done.out, done.out


@pytest.mark.slow
def test_a_sweep_over_seeds_and_models(cli: Cli, tmp_path: Path) -> None:
    write_story(tmp_path)
    words = ("-m", *WORDS[:3], "model=wan22_ti2v_5b,cogvideox15_5b_i2v", "seed=0,1", "launcher=pool", "sweep=night")
    done = cli(*words)
    assert done.code == 0, done.text
    runs = [tmp_path / "multirun" / "run_job" / "night" / str(number) for number in range(4)]
    assert len({digests(run)["final_stitched.mp4"] for run in runs}) == 4
    assert cli(*words).out.count("(reused)") == 4


def test_a_json_file_with_the_schema_that_editors_want(cli: Cli, tmp_path: Path) -> None:
    write_story(tmp_path)
    (tmp_path / "story.json").write_text(json.dumps({"$schema": "job.schema.json", **STORY}))
    assert cli("op=run_job", "job_file=story.json", *WORDS[2:]).code == 0
    assert [case["prompt"] for case in latest_of(tmp_path)["cases"]] == ["one", "two", "three"]
    assert made(tmp_path) == []


def test_a_real_pipeline_hands_on_what_it_produced(cli: Cli, tmp_path: Path) -> None:
    words = (
        "op=run_job",
        "job=astronaut",
        "model=wan22_ti2v_5b",
        "sampling.num_frames=5",
        "sampling.num_inference_steps=2",
    )
    done = cli(*words)
    assert done.code == 0 and "3 clip(s), 13 frames in final_stitched.mp4" in done.out, done.text
    [run] = runs_of(tmp_path, "astronaut")
    logs = [record(run, index) for index in range(3)]
    assert [log["id"] for log in logs] == ["hatching", "standing", "leaving"]
    assert logs[0]["conditioning"]["kind"] == "init_image" and logs[0]["conditioning"]["difference"] is None
    for before, after in itertools.pairwise(logs):
        assert after["conditioning"]["frame"] == before["last_frame"]
        assert after["conditioning"]["difference"] > 0  # the pipeline's own encoder changes what it is given
        assert after["seconds"]["dit_time_s"] > 0 and "load_s" not in after["seconds"]
    assert logs[0]["seconds"]["load_s"] > 0 and logs[0]["memory_mb"] and logs[0]["environment"]["pipeline"]


@pytest.mark.slow
@pytest.mark.parametrize("model", ["wan22_ti2v_5b", "hunyuan_i2v", "cogvideox15_5b_i2v"])
def test_a_real_pipeline_gives_the_same_story_twice(cli: Cli, tmp_path: Path, model: str) -> None:
    words = ("op=run_job", "job=astronaut", f"model={model}", "resume=false")
    assert cli(*words).code == 0 and cli(*words).code == 0
    first, second = runs_of(tmp_path, "astronaut")
    assert digests(first) == digests(second)


def test_earlier_runs_tell_how_long_it_will_take(command: Cli, tmp_path: Path) -> None:
    write_story(tmp_path)
    assert "would take about" not in " ".join(command(*WORDS, "dry_run=true").out.split())
    assert command(*WORDS).code == 0
    assert "by 3 earlier clip(s)." in " ".join(command(*WORDS, "dry_run=true").out.split())
    other = command(*WORDS[:3], "model=hunyuan_i2v", "dry_run=true")
    assert other.code == 0 and "would take about" not in " ".join(other.out.split())


def test_the_manifest_says_where_weights_come_from(cli: Cli, tmp_path: Path) -> None:
    write_story(tmp_path)
    assert cli(*WORDS, HF_HUB_CACHE="/somewhere/hub").code == 0
    assert latest_manifest(tmp_path)["job"]["hub_cache"] == {
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_CACHE": "/somewhere/hub",
    }
    toy = (tmp_path / "toy.py").read_text()
    (tmp_path / "toy.py").write_text(toy.replace('print("at"', 'print(os.environ["HF_HOME"]); print("at"'))
    assert cli(*TOYS, "runtime.hf_home=disk", "runtime.hf_hub_cache=disk/cache", "resume=false").code == 0
    assert latest_manifest(tmp_path)["job"]["hub_cache"] == {
        "HF_HOME": str(tmp_path / "disk"),
        "HF_HUB_CACHE": str(tmp_path / "disk" / "cache"),
    }
    log = tmp_path / "outputs" / "latest" / "status" / "stdout.log"
    assert str(tmp_path / "disk") in log.read_text().splitlines()


def test_its_clips_are_scored_like_those_of_any_run(cli: Cli, tmp_path: Path) -> None:
    write_story(tmp_path)
    assert cli(*WORDS).code == 0
    done = cli("op=eval", "run=outputs/latest", "metrics=temporal")
    assert done.code == 0 and "3 sample(s), 1 metric(s): 3 ok" in done.out, done.text


def test_a_worker_elsewhere_is_given_the_job_and_its_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        Image.new("RGB", (32, 32), (9, 9, 9)).save(tmp_path / f"{name}.png")
    clips = [{"prompt": "one"}, {"prompt": "two", "chain": "image:b.png"}, {"prompt": "three"}]
    write_story(tmp_path, init_image="a.png", clips=clips)
    context = job(tmp_path / "run", *WORDS).context(Silent())
    sent = RunJob(context.config.op).job_inputs(context)
    assert list(sent.files) == [tmp_path / "a.png", tmp_path / "b.png"]
    assert sent.config.job_file is None
    here = plan_job(context.config)
    monkeypatch.chdir("/")
    there = plan_job(sent.config)
    assert [clip.case.fingerprint for clip in there.clips] == [clip.case.fingerprint for clip in here.clips]


def test_a_seed_that_no_clip_would_take_is_said(command: Cli, tmp_path: Path) -> None:
    write_story(tmp_path, clips=[{"prompt": "one", "seed": 1}, {"prompt": "two", "seed": 2}])
    done = command(*WORDS, "seed=3", "dry_run=true")
    assert done.code == 2 and "seed=3: every clip has a seed of its own." in done.text
    assert command(*WORDS, "dry_run=true").code == 0
