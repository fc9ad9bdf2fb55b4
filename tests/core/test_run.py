# SPDX-License-Identifier: Apache-2.0
"""A run folder says what happened, also when its process was killed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from fvhydra.core import files, untrusted
from fvhydra.core.errors import UsageError
from fvhydra.core.result import CaseResult, Criterion, Difference, RunResult
from fvhydra.core.run import RunFolder, new_run_id
from fvhydra.core.verdict import Verdict, worst


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "outputs" / new_run_id())
    folder.start(op="check_ssim", model="ltx2", title="", command=["fvhydra"], config={"seed": 1})
    return folder


def test_result_round_trips(run: RunFolder) -> None:
    case = CaseResult(
        index=0,
        prompt="p",
        seed=1,
        fingerprint="f",
        verdict=Verdict.REGRESSION,
        criteria=[Criterion("mean", False, "2", "1")],
        environment_difference=[Difference("torch", "2.12", "2.13")],
    )
    result = RunResult(op="check_ssim", verdict=Verdict.REGRESSION, cases=[case], details={"a": 1})
    run.finish(result)
    assert run.result == result
    assert untrusted.read_json(run.path / "result.json")["exit_code"] == 1
    assert run.state == "finished"


def test_a_run_whose_process_is_gone_reads_as_interrupted(run: RunFolder) -> None:
    assert run.state == "running"
    child = subprocess.Popen(["true"])
    child.wait()
    status = untrusted.read_json(run.path / "status" / "status.json")
    files.write_json(run.path / "status" / "status.json", status | {"pid": child.pid})
    assert run.state == "interrupted"


def test_progress_lines_have_the_form_that_others_read(run: RunFolder) -> None:
    run.stage("load")
    run.stage("generate", 3, "a\nprompt\x1b[0m")
    lines = (run.path / "status" / "progress.log").read_text().splitlines()
    pattern = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \| \w+ \| clip=(-|\d+) \| msg=.*"
    assert len(lines) == 2 and all(re.fullmatch(pattern, line) for line in lines)
    assert "clip=3 | msg=a prompt" in lines[1]


def test_folder_can_be_moved(run: RunFolder, tmp_path: Path) -> None:
    artifact = run.path / "artifacts" / "a.pt"
    files.write_bytes(artifact, b"1")
    run.add_artifact(artifact, 0, "f")
    moved = RunFolder.open(Path(shutil.move(run.path, tmp_path / "elsewhere")))
    assert moved.inside(moved.manifest["artifacts"][0]["path"]).read_bytes() == b"1"


def test_a_record_cannot_lead_out_of_the_folder(run: RunFolder) -> None:
    with pytest.raises(UsageError, match="outside"):
        run.inside("../../etc/passwd")
    with pytest.raises(UsageError, match="outside"):
        run.inside("/etc/passwd")


def test_latest_points_at_the_newest_and_spares_a_real_folder(run: RunFolder, tmp_path: Path) -> None:
    root = tmp_path / "outputs"
    run.point_latest(root)
    run.point_latest(root)
    assert (root / "latest").resolve() == run.path.resolve() and not os.path.isabs(os.readlink(root / "latest"))
    (root / "latest").unlink()
    (root / "latest").mkdir()
    run.point_latest(root)
    assert not (root / "latest").is_symlink()


def test_opening_something_else_is_explained(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a run folder"):
        RunFolder.open(tmp_path)


def test_the_worst_verdict_decides_and_nothing_is_never_a_pass() -> None:
    assert worst([Verdict.PASS, Verdict.REGRESSION, Verdict.NO_REFERENCE]) is Verdict.NO_REFERENCE
    assert worst([Verdict.DONE, Verdict.PASS]).exit_code == 0
    assert worst([]) is Verdict.INFRASTRUCTURE
    assert {verdict.exit_code for verdict in Verdict} == {0, 1, 2, 3, 4, 5, 130}


@pytest.mark.parametrize("content", [[], {"verdict": "zzz"}, {"op": "x", "verdict": "pass", "cases": [{}]}, None])
def test_a_damaged_record_is_named(run: RunFolder, content: object) -> None:
    files.write_json(run.path / "result.json", content)
    with pytest.raises(UsageError, match="The recorded result is not one"):
        _ = run.result
    files.write_json(run.path / "manifest.json", content)
    with pytest.raises(UsageError, match=r"manifest\.json is not a manifest of this version"):
        _ = run.manifest


def test_what_a_newer_version_added_to_a_result_is_dropped() -> None:
    found = RunResult.from_json({"op": "x", "verdict": "pass", "new": 1, "exit_code": 0})
    assert found == RunResult("x", Verdict.PASS)
