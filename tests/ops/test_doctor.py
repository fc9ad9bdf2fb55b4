# SPDX-License-Identifier: Apache-2.0
"""What ``op=doctor`` finds: each trouble is a line, and none hides the next."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from huggingface_hub import close_session

from fvhydra.config.store import LocalStoreConfig
from fvhydra.core import files
from fvhydra.core.result import RunResult
from fvhydra.core.run import RunFolder
from fvhydra.core.verdict import Verdict
from fvhydra.ops.doctor_choice import metrics, weights
from fvhydra.ops.doctor_media import codecs, ffmpeg, last_run
from fvhydra.stores.local import LocalStore
from tests.conftest import Cli
from tests.servers.hub import HubServer


@pytest.mark.slow
def test_folders_links_and_bytes_that_are_not_what_they_should_be(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "latest").symlink_to("gone")
    store = LocalStore(LocalStoreConfig(_target_="", name="local", path=str(tmp_path / "store")))
    store.commit({"a/good.txt": b"good", "a/bad.txt": b"once"}, message="by hand")
    for path in (path for path in (tmp_path / "store").rglob("*") if path.is_file()):
        if path.read_bytes() == b"once":
            os.chmod(path, 0o644)
            path.write_bytes(b"rot!")
    command = cli("op=doctor", f"runtime.cache_dir={tmp_path}/file")
    assert command.code == 4, command.text
    bad = [line for line in command.text.splitlines() if "BAD" in line]
    assert len(bad) == 3, command.text
    assert "cannot be written" in bad[1] and "runtime.cache_dir" in bad[1]
    assert "damaged: a/bad.txt" in bad[0] and "good.txt" not in bad[0]
    assert "points to a run folder that is gone" in bad[2]


@pytest.mark.slow
def test_where_the_engine_would_run(cli: Cli) -> None:
    command = cli("op=doctor", "engine=mock", "engine.isolate=true")
    assert f"engine mock in Python 3.{sys.version_info.minor}" in " ".join(command.text.split()), command.text
    gone = cli("op=doctor", "engine=mock", "engine.python=/opt/nowhere/python")
    assert gone.code == 4 and "engine.python=/opt/nowhere/python is no program that can be run." in gone.text, gone.text


@pytest.mark.slow
def test_a_folder_that_cannot_be_made(cli: Cli) -> None:
    command = cli("op=doctor", "runtime.output_dir=/proc/x")
    assert command.code == 4 and "/proc/x cannot be written" in command.text, command.text
    refused = cli("op=generate", "engine=mock", "runtime.output_dir=/proc/x")
    assert refused.code == 2 and "Cannot write /proc/x" in refused.text, refused.text


def test_a_run_that_is_not_portable(command: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunFolder(tmp_path / "run")
    run.start(op="generate", model="ltx2", title="", command=[], config={})
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"a clip")
    files.write_json(run.path / "scores.json", {"clips": [{"video": f"{clip}"}, {"video": "/elsewhere/b.mp4"}]})
    run.finish(RunResult("generate", Verdict.DONE))
    monkeypatch.setattr("fvhydra.ops.doctor._LOOKS", (codecs, ffmpeg, last_run))  # the others take seconds
    found = command("op=doctor", "run=run")
    assert found.code == 4, found.text
    assert "BAD  run" in found.out and f"scores.json clips[0].video: {clip}; scores.json" in found.out
    run.point_latest(tmp_path / "outputs")
    (tmp_path / "outputs").mkdir()
    run.point_latest(tmp_path / "outputs")
    latest = command("op=doctor")
    assert latest.code == 0 and "but for 1 clip(s) elsewhere" in latest.out, latest.text
    assert latest.out.count("elsewhere/b.mp4") == 1 and f"{clip}" not in latest.out
    assert re.search(r"ok +clip +3 frame\(s\) of 3", latest.out)
    gone = command("op=doctor", "run=nowhere")
    assert gone.code == 4 and "nowhere is no run folder" in gone.out


def test_which_ffmpeg_is_taken(command: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fvhydra.ops.doctor._LOOKS", (ffmpeg,))
    program = tmp_path / "mine" / "ffmpeg"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho ffmpeg version mine\n")
    program.chmod(0o755)
    taken = command("op=doctor", FFMPEG_BIN=str(program))
    assert f"{program} (from FFMPEG_BIN): ffmpeg version mine" in taken.out, taken.text
    wrong = command("op=doctor", FFMPEG_BIN="/nowhere/ffmpeg")
    assert wrong.code == 4 and "BAD  ffmpeg" in wrong.out and "cannot be run" in wrong.out
    monkeypatch.setattr("fvhydra.ops.doctor._LOOKS", (ffmpeg, codecs))
    without = command("op=doctor", "op.ffmpeg=false")
    assert without.code == 0 and "ffprobe" not in without.out


def test_what_the_chosen_configuration_needs(command: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fvhydra.ops.doctor._LOOKS", (metrics, weights))
    tiny = command("op=doctor")
    assert tiny.code == 0 and "tier=smoke needs none of the Hub" in tiny.out, tiny.text
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with HubServer() as hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        wanted = ["op=doctor", "tier=default", "model=stable_audio_open"]
        gone = command(*wanted)
        assert gone.code == 4 and "stable-audio-open-1.0 does not exist" in gone.out, gone.text
        repo = hub.create("stabilityai/stable-audio-open-1.0", private=False)
        repo.branches["f21265c1e2710b3bd2386596943f0007f55f802e"] = repo.branches["main"]
        repo.gated = True
        gated = command(*wanted)
        assert gated.code == 4 and "is gated: accept its licence" in gated.out and "HF_TOKEN" in gated.out
    close_session()
    away = command(*wanted)
    assert away.code == 4 and "The Hub cannot be asked" in away.out, away.text
    unknown = command("op=doctor", "metrics=pixel")
    assert unknown.code == 0 and "common.ssim" in unknown.out, unknown.text


@pytest.mark.slow
def test_doctor_finds_what_is_wrong_and_keeps_tokens_to_itself(cli: Cli, tmp_path: Path) -> None:
    well = cli("op=doctor", HF_TOKEN="hf_planted_secret")
    assert well.code == 0, well.text
    for part in (
        "python",
        "torch",
        "encoder libx264",
        "from HF_TOKEN",
        "free disk",
        "choices compose",
        "writable",
    ):
        assert part in well.out
    assert "hf_planted_secret" not in well.text
    (tmp_path / "file").write_text("x")
    ill = cli("op=doctor", "store.path=file/store")
    assert ill.code == 4 and "BAD  store" in ill.out
