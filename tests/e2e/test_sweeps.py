# SPDX-License-Identifier: Apache-2.0
"""Sweeps that go on where they stopped, that are looked at before they run, and that seed through a launcher."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli, clean_environment
from tests.launch.commands import DIARIST, JOBS, POOL, diary
from tests.servers.hub import ALICE, HubServer

NIGHT = Path("multirun/generate/night")


@pytest.fixture(autouse=True)
def _diarist(tmp_path: Path) -> None:
    (tmp_path / "diarist.py").write_text(DIARIST)


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text()))


def test_jobs_keep_their_numbers_and_changed_ones_are_new(cli: Cli, tmp_path: Path) -> None:
    sweep = ("-m", *JOBS, "sweep=night")
    assert cli(*sweep, "seed=5,6").code == 0
    (tmp_path / NIGHT / "1" / "result.json").unlink()  # as if it had been killed
    command = cli(*sweep, "seed=6,5,7,7")
    assert command.code == 0, command.text
    lines = [" ".join(line.split()) for line in command.out.splitlines()]
    assert "0 done (reused) seed=5 0/report/index.html" in lines
    for number, seed in ((1, 6), (2, 7), (3, 7)):
        assert f"{number} done seed={seed} {number}/report/index.html" in lines
    assert [entry["seed"] for entry in diary(tmp_path) if entry["what"] == "end"] == [
        5,
        6,
        7,
        7,
    ]  # its case was finished
    assert (tmp_path / NIGHT / "1" / "attempts" / "1" / "manifest.json").is_file()

    everything = cli(*sweep, "seed=8,5,6", "resume=false")
    assert everything.code == 0 and "reused" not in everything.out, everything.text
    assert sorted(path.name for path in (tmp_path / NIGHT).glob("[0-9]*")) == ["0", "1", "2", "3", "4"]
    assert [path.name for path in sorted((tmp_path / NIGHT).glob("*/attempts/*"))] == ["1", "1", "2"]


def test_a_sweep_may_be_named_by_its_folder_and_says_what_else_made_what_it_keeps(cli: Cli, tmp_path: Path) -> None:
    assert cli("-m", *JOBS, "sweep=night").code == 0
    shipped = _read(tmp_path / NIGHT / "0" / "job.json")
    shipped["environment"]["numpy"] = "0.9"
    (tmp_path / NIGHT / "0" / "job.json").write_text(json.dumps(shipped))
    command = cli(*POOL, f"sweep={NIGHT}")
    assert command.code == 0 and "done (reused)" in command.out, command.text
    assert "Some of the 1 reused were made with numpy 0.9. All again: resume=false." in command.out


def test_a_dry_run_shows_what_would_be_and_changes_nothing(cli: Cli, tmp_path: Path) -> None:
    assert cli(*POOL, "sweep=night", "seed=0", "gpu=l40s", "launcher.devices=[0]").code == 0

    def left() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if "__pycache__" not in path.parts}

    before = left()
    words = (*POOL, "sweep=night", "seed=0,1", "gpu=l40s", "launcher.devices=[0]", "dry_run=true")
    command = cli(*words)
    assert command.code == 0, command.text
    fingerprint = _read(tmp_path / NIGHT / "0" / "job.json")["fingerprint"]
    lines = [" ".join(line.split()) for line in command.out.splitlines()]
    assert f"0 {fingerprint[:12]} keep seed=0 1 s done" in lines
    assert any(line.startswith("1 ") and line.endswith("run seed=1 - Ready.") for line in lines)
    assert "1 GPU(s): 0." in command.out
    assert "Dry run: 1 of 2 job(s) would run. GPU-minutes last time: 0.0, unknown for 1 job(s)." in lines
    assert left() == before

    missing = cli("op=check_ssim", "engine=mock", "dry_run=true")
    assert missing.code == 3 and "0 of 1 reference(s) found." in missing.out, missing.text
    assert "job 0 case 0: There is no reference in" in missing.out
    assert cli("op=check_ssim", "engine=mock", "dry_run=true", "seed=-1").code == 2
    assert left() == before

    assert cli("op=seed_ssim", "engine=mock", "op.confirm=upload").code == 0
    found = cli("-m", "op=check_ssim", "engine=mock", "dry_run=true", "seed=10,11")
    assert found.code == 3, found.text
    assert "job 0 case 0: reference found reference_videos/smoke/" in found.out


def test_seeding_through_a_launcher_publishes_from_here_alone(cli: Cli, tmp_path: Path) -> None:
    with HubServer() as hub:
        hub.create("alice/refs", private=False)
        hub.create("alice/hidden")
        on_hub = ("store=hub", "store.repo_id=alice/refs", "store.xet=off")
        diarist = ("engine=mock", "engine._target_=diarist.Diarist")
        words = ("launcher=pool", "op=seed_ssim", *diarist, *on_hub, "model=ltx2,wan22_ti2v_5b", "prompt_index=0")
        here = {"HF_ENDPOINT": hub.url, "HF_TOKEN": ALICE}

        nobody = cli(*words, HF_ENDPOINT=hub.url)
        assert nobody.code == 2 and not diary(tmp_path), nobody.text

        hidden = cli(*words, "store.repo_id=alice/hidden", **here)
        assert hidden.code == 2 and "alice/hidden cannot be read without one" in hidden.err, hidden.text
        assert "launcher.pass_env=[HF_TOKEN]" in hidden.err and not diary(tmp_path)
        assert not (tmp_path / "multirun/seed_ssim").exists(), "a command that is refused leaves nothing"

        made = cli(*words, "sweep=first", **here)
        assert made.code == 0 and made.out.count("Nothing was written to hf://") == 2, made.text
        assert [entry["HF_TOKEN"] for entry in diary(tmp_path)] == [None] * 4
        assert not [request for request in hub.requests if "/commit/" in request.path]

        published = cli(*words, "sweep=first", "op.confirm=upload", **here)
        assert published.code == 0 and published.out.count("Published 2 file(s)") == 2, published.text
        assert len(diary(tmp_path)) == 4, "what was looked at is what is published"

        again = cli(*words, "sweep=second", **here)
        assert again.code == 2 and again.text.count("already in the store") == 2, again.text
        assert len(diary(tmp_path)) == 4


@pytest.mark.slow
def test_an_op_without_a_run_folder_says_what_it_found(cli: Cli) -> None:
    command = cli("op=doctor", "launcher=pool")
    assert command.code == 0 and "choices compose" in command.out and "1 job(s), worst: done" in command.out, (
        command.text
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-m", "model=null,ltx2"), "model=null,ltx2: a job needs one."),
        (("launcher=local,pool",), "launcher=local,pool: all jobs of a command have one launcher."),
        (
            ("op=publish", "run=x", "launcher=pool"),
            "op=publish works on the folder that run= names, so it runs by itself.",
        ),
        (("op=generate", "sweep=night"), "sweep=night names the folder of a sweep, and this is a single run."),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(cli: Cli, words: tuple[str, ...], message: str) -> None:
    command = cli(*words)
    assert command.code == 2 and message in command.err


def test_a_reader_who_has_seen_enough_is_no_error(tmp_path: Path, cache_dir: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "fvhydra", "--help"],
        cwd=tmp_path,
        env=clean_environment(tmp_path, cache_dir),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(30) == 0
    process.stderr.close()
