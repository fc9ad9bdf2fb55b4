# SPDX-License-Identifier: Apache-2.0
"""``op=eval``: what is scored, how it ends, and what is left behind."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fvhydra.core.scores import ScoreRow, read_rows
from fvhydra.evaluation.compare import read_evaluation
from fvhydra.ops.eval import _of_all
from tests.conftest import ROOT, Cli
from tests.evaluation.clips import write_clip
from tests.launch.commands import started


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """``gen/`` and ``ref/`` with three pairs, one video and one reference more."""
    for folder in ("gen", "ref"):
        for index, name in enumerate(("a, [1].mp4", "s/猫=b.mp4", "s/c.mp4", f"{folder} alone.mp4")):
            write_clip(tmp_path / folder, name, 60 + 20 * index + (folder == "ref"))
    return tmp_path


def latest(folder: Path) -> tuple[Path, dict[str, Any], list[ScoreRow]]:
    run = (folder / "outputs" / "latest").resolve()
    return run, json.loads((run / "result.json").read_text()), list(read_rows(run / "scores.jsonl"))


def test_pairs_are_scored_and_the_rest_is_listed(cli: Cli, clips: Path) -> None:
    done = cli("op=eval", "videos=gen", "references=ref", "metrics=[pixel,temporal]")
    assert done.code == 0, done.text
    assert "1 video(s) without a reference: gen alone.mp4" in done.out
    assert "1 reference(s) without a video: ref alone.mp4" in done.out
    run, result, rows = latest(clips)
    ok = {(row.sample, row.metric) for row in rows if row.status == "ok"}
    assert ("a, [1].mp4", "common.psnr") in ok and ("s/猫=b.mp4", "common.ssim") in ok
    alone = {row.metric: (row.status, row.code) for row in rows if row.sample == "gen alone.mp4"}
    assert alone.pop("vbench.temporal_flickering") == ("ok", "")
    assert set(alone.values()) == {("skipped", "missing_input")}
    assert (result["verdict"], len(result["metrics"])) == ("done", 4)
    assert (run / "report" / "index.html").is_file()
    recorded = json.loads((run / "manifest.json").read_text())["evaluation"]
    assert recorded["decoder"].startswith("pyav ") and "BT.601" in recorded["conversion"]
    assert recorded["without_reference"] == ["gen alone.mp4"]


def test_a_pattern_a_manifest_and_a_run(cli: Cli, clips: Path) -> None:
    assert cli("op=eval", "videos=gen/s/*.mp4", "metrics=temporal").code == 0
    assert [row.sample for row in latest(clips)[2]] == ["c.mp4", "猫=b.mp4"]
    lines = [{"video": "gen/s/c.mp4", "reference": "ref/s/c.mp4", "prompt": "A cat", "dimension": ["color"]}]
    (clips / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert cli("op=eval", "manifest=samples.jsonl", "metrics=pixel").code == 0
    rows = latest(clips)[2]
    assert {(row.prompt, row.tags[0], row.status) for row in rows} == {("A cat", "dimension=color", "ok")}
    assert cli("op=generate", "engine=mock", "sampling.num_frames=9", "model=wan22_ti2v_5b").code == 0
    made = (clips / "outputs" / "latest").resolve()
    for words in ((f"run={made}",), (f"videos={made}",), (f"videos={made}", f"references={made}")):
        assert cli("op=eval", *words, "metrics=[pixel,temporal]").code == 0
        rows = {row.metric: row for row in latest(clips)[2]}
        assert all(row.prompt for row in rows.values())
        paired = len(words) == 2
        assert (rows["common.psnr"].status, rows["common.psnr"].code) == (
            ("ok", "infinite") if paired else ("skipped", "missing_input")
        )


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (('op.gate={common.psnr: ">=20"}',), 0, "pass"),
        (('op.gate={common.psnr: ">=99"}',), 1, "common.psnr value is"),
        (('op.gate={common.sism: ">=0.9"}',), 2, "metrics= does not choose. Did you mean 'common.ssim'?"),
        (("op.strict=true",), 5, "1 skipped"),
        (("+metrics.use.vbench.object_class={}",), 2, "is planned and cannot be computed yet"),
        (("metrics=gate",), 2, "chooses no metric"),
        (("op.resume_from=gen",), 2, "is not the folder of a run"),
    ],
)
def test_verdicts(cli: Cli, clips: Path, words: tuple[str, ...], code: int, says: str) -> None:
    done = cli("op=eval", "videos=gen", "references=ref", "metrics=pixel", *words)
    assert (done.code, says in done.text) == (code, True), done.text
    assert (clips / "outputs").exists() == (code != 2)


def test_a_metric_of_ones_own(cli: Cli, clips: Path) -> None:
    (clips / "conf" / "metrics").mkdir(parents=True)
    (clips / "conf" / "metrics" / "mine.yaml").write_text(
        "# Mine\nuse:\n  toy:\n    brightness:\n      _target_: tests.evaluation.toys.Toy\n      scale: 1.0\n"
    )
    words = (
        "--config-dir=conf",
        "op=eval",
        "videos=gen",
        "metrics=[mine,temporal]",
        "metrics.use.toy.brightness.scale=2",
    )
    done = cli(*words, PYTHONPATH=str(ROOT))
    assert done.code == 0, done.text
    values = {row.sample: row.value for row in latest(clips)[2] if row.metric == "toy.brightness"}
    assert values["a, [1].mp4"] == pytest.approx(2 * 64, abs=6)


def test_what_was_interrupted_says_how_to_go_on(cli: Cli, tmp_path: Path) -> None:
    for name in ("a.mp4", "z.mp4"):
        write_clip(tmp_path / "gen", name)
    words = ("op=eval", "videos=gen", "metrics=temporal", "op.workers=1")
    target = "+metrics.use.toy.interrupts._target_=tests.evaluation.toys.Interrupts"
    stopped = cli(*words, target, PYTHONPATH=str(ROOT))
    assert stopped.code == 130, stopped.text
    [command] = re.findall(r"To go on from here: python -m fvhydra (.+)", stopped.out)
    again = [word for word in shlex.split(command) if word != target]
    assert again[:-1] == [*words] and cli(*again).code == 0
    assert len(latest(tmp_path)[2]) == 2


def test_ctrl_c_among_many_clips_leaves_no_process_and_no_traceback(tmp_path: Path, cache_dir: Path) -> None:
    clip = write_clip(tmp_path / "gen", "0.mp4", frames=60)
    cpus = len(os.sched_getaffinity(0))
    for index in range(1, 400 * cpus):
        (clip.parent / f"{index}.mp4").symlink_to(clip)
    words = ("op=eval", "videos=gen", "metrics=temporal", f"op.workers={max(cpus, 2)}")
    # Ctrl-C at a terminal is for the whole group
    with started(tmp_path, cache_dir, *words, own_group=True) as command:
        assert command.stderr is not None
        for line in command.stderr:
            if "score" in line:
                break
        time.sleep(0.2)  # the processes are starting
        os.killpg(command.pid, signal.SIGINT)
        out, err = command.communicate(timeout=60)
    assert (command.returncode, "Traceback" in err) == (130, False), out + err
    assert "op.resume_from=" in out.partition("To go on from here: python -m fvhydra op=eval")[2]
    with pytest.raises(ProcessLookupError):
        for _ in range(50):  # Python's own helper ends a moment later
            os.killpg(command.pid, 0)
            time.sleep(0.1)


def test_shards_of_a_sweep_become_one_evaluation(cli: Cli, clips: Path) -> None:
    words = ("op=eval", "videos=gen", "references=ref", "metrics=[pixel,temporal]")
    assert cli(*words).code == 0
    _, _, whole = latest(clips)
    done = cli("-m", *words, "op.shard=range(0,3)", "launcher=pool")
    assert done.code == 0, done.text
    [merged] = [path.parent for path in (clips / "multirun").rglob("scores.jsonl") if not path.parent.name.isdigit()]
    told = [(row.sample, row.metric, row.value, row.status) for row in whole]
    assert [(row.sample, row.metric, row.value, row.status) for row in read_rows(merged / "scores.jsonl")] == told
    assert "4 sample(s), 4 metric(s)" in done.out
    assert read_evaluation(merged.parent).folder == merged  # as op=eval_compare finds it
    told_of_shard = json.loads((merged.parent / "1" / "manifest.json").read_text())["evaluation"]
    assert told_of_shard["workers"] == max(len(os.sched_getaffinity(0)) // 3, 1)  # they share the machine


def test_tiny_weights_try_everything_and_are_marked(cli: Cli, tmp_path: Path) -> None:
    for folder, level in (("gen", 60), ("ref", 100)):
        for name in ("a.mp4", "b.mp4"):
            write_clip(tmp_path / folder, name, level, frames=16)
    done = cli("op=eval", "videos=gen", "references=ref", "metrics=[lpips,fvd,vbench_models]", "metrics.tiny=true")
    assert done.code == 0, done.text
    assert "common.lpips" in done.out and "mean nothing: they come of small random weights" in done.out
    run, _, rows = latest(tmp_path)
    skipped = {(row.metric, row.code) for row in rows if row.status != "ok"}
    assert skipped == {("vbench.appearance_style", "missing_input")}  # no style was named
    summaries = {item["metric"]: item for item in json.loads((run / "summary.json").read_text())}
    assert summaries["common.fvd"]["value"] > 0
    report = (run / "report" / "index.html").read_text()
    assert "small random weights" in report


def test_stored_references_are_named_by_the_environment(cli: Cli, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    np.save(tmp_path / "refs.npy", random.normal(size=(5, 4)))
    np.save(tmp_path / "own.npy", random.normal(size=(6, 4)))
    (tmp_path / "samples.jsonl").write_text('{"id": "a", "audio_features": "own.npy"}\n')
    words = ("metrics=audio", "metrics.tiny=true", "metrics.use.audio.frechet_distance.extractor=given")
    done = cli("op=eval", "manifest=samples.jsonl", *words, FASTVIDEO_FAD_REF_FEATURES="refs.npy")
    assert done.code == 0, done.text
    summaries = {item["metric"]: item for item in json.loads((latest(tmp_path)[0] / "summary.json").read_text())}
    found = summaries["audio.frechet_distance"]
    assert found["value"] > 0 and (found["outputs"]["ref_source"], found["outputs"]["n_reference"]) == ("refs.npy", 5)


def test_weights_that_are_nowhere_are_a_reason(cli: Cli, clips: Path) -> None:
    done = cli("op=eval", "videos=gen", "references=ref", "metrics=[lpips,temporal]", HF_HUB_OFFLINE="1")
    assert done.code == 0, done.text
    rows = [row for row in latest(clips)[2] if row.metric == "common.lpips" and row.code != "missing_input"]
    assert {(row.status, row.code) for row in rows} == {("skipped", "no_weights")}
    assert all("metrics.assets.alexnet=<path>" in row.message for row in rows)
    listed = cli("op=metrics", HF_HUB_OFFLINE="1")
    assert "weights missing" in listed.out and "planned" in listed.out


def test_a_merged_evaluation_was_made_on_the_machines_of_all_its_shards() -> None:
    shards = [{"torch": "2.13.0", "host": "a"}, {"torch": "2.13.0", "host": "b", "gpu": "L40S"}]
    assert _of_all(shards) == {"torch": "2.13.0", "host": "a, b", "gpu": "L40S"}


def test_folders_of_frames_are_clips_at_the_rate_that_is_given(command: Cli, tmp_path: Path) -> None:
    for name in ("gen/cat", "ref/cat"):
        (tmp_path / name).mkdir(parents=True)
        for index in range(4):
            Image.fromarray(np.full((32, 48, 3), 60 * index, np.uint8)).save(tmp_path / name / f"{index}.png")
    refused = command("op=eval", "videos=gen", "metrics=temporal")
    assert (refused.code, "op.fps=24" in refused.text) == (2, True)
    done = command("op=eval", "videos=gen", "references=ref", "op.fps=24", "metrics=[pixel,temporal]")
    assert done.code == 0, done.text
    run = (tmp_path / "outputs" / "latest").resolve()
    rows = {row.metric: row for row in read_rows(run / "scores.jsonl")}
    assert (rows["common.ssim"].value, rows["common.ssim"].fps) == (1, 24)
    assert len(list((run / "report" / "clips").iterdir())) == 2
    os.mkfifo(tmp_path / "fifo.mp4")
    waited = command("op=eval", "videos=fifo.mp4", "metrics=temporal")
    assert (waited.code, "is a FIFO" in waited.text) == (5, True)
