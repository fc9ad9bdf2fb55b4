# SPDX-License-Identifier: Apache-2.0
"""A run folder says what happened, also when its process was killed."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fvhydra.core import environment, files, untrusted
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


def test_a_run_id_sorts_by_time_and_is_unique() -> None:
    before = datetime.now(UTC)
    ids = [new_run_id() for _ in range(3)]
    assert len(set(ids)) == 3
    for name in ids:
        time, _, rest = name.partition("-")
        assert re.fullmatch(r"[0-9a-f]{6}", rest)
        made = datetime.strptime(time, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        assert before.replace(microsecond=0) <= made <= datetime.now(UTC)


def test_a_run_folder_of_any_version_is_one_and_other_manifests_are_none(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    assert not RunFolder.is_at(tmp_path) and not RunFolder.is_at(tmp_path / "none")
    for content, is_one in (
        ({"schema_version": 99, "op": "x"}, True),
        ({"schema_version": 1}, False),
        ({"op": "x"}, False),
        (["schema_version", "op"], False),
    ):
        files.write_json(manifest, content)
        assert RunFolder.is_at(tmp_path) is is_one


def test_a_folder_that_is_none_is_said_with_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        RunFolder.open(tmp_path)
    assert refused.value.message == f"run={tmp_path} is not a run folder (it has no manifest.json)."
    assert refused.value.hint == "Give the folder that an earlier command printed, or outputs/latest."


def test_a_link_to_a_run_folder_is_followed(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(run.path)
    assert RunFolder.open(tmp_path / "link").path == run.path.resolve()


def test_the_first_manifest_says_what_was_asked_for(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "a" / "b")
    before = environment.now()
    for _ in range(2):  # a folder that is there is taken as well
        run.start(op="eval", model="ltx2", title="seed=1", command=["fvhydra", "op=eval"], config={"seed": 1})
    manifest = untrusted.read_json(run.path / "manifest.json")
    assert before <= manifest.pop("created") <= environment.now()
    assert manifest.pop("environment") == environment.environment()
    assert manifest == {
        "schema_version": 1,
        "op": "eval",
        "model": "ltx2",
        "title": "seed=1",
        "command": ["fvhydra", "op=eval"],
        "config": {"seed": 1},
        "cases": [],
        "artifacts": [],
    }
    status = untrusted.read_json(run.path / "status" / "status.json")
    assert before <= status.pop("started") <= status.pop("updated") <= environment.now()
    assert 0 <= status.pop("elapsed_s") < 60
    assert status == {"state": "running", "pid": os.getpid(), "host": socket.gethostname(), "eta_s": None}


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=f"Cannot write {tmp_path / 'file' / 'run'}"):
        RunFolder(tmp_path / "file" / "run").start(op="x", model="", title="", command=[], config={})


def test_latest_moves_on_and_leaves_nothing_beside_it(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    root = run.path.parent
    other = RunFolder(root / "other")
    other.path.mkdir()
    other.point_latest(root)
    run.point_latest(root)
    assert os.readlink(root / "latest") == run.path.name
    (root / "latest").unlink()
    (root / "latest").symlink_to("gone")  # a link to nothing is replaced as well
    run.point_latest(root)
    assert os.readlink(root / "latest") == run.path.name
    refuse: list[OSError] = [OSError("no links here")]
    monkeypatch.setattr(Path, "symlink_to", lambda *_, **__: (_ for _ in ()).throw(refuse[0]))
    other.point_latest(root)
    assert os.readlink(root / "latest") == run.path.name
    monkeypatch.undo()
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(refuse[0]))
    other.point_latest(root)
    assert sorted(path.name for path in root.iterdir()) == sorted(["latest", "other", run.path.name])


def test_artifacts_are_in_the_manifest_from_when_they_are_finished(run: RunFolder) -> None:
    path = run.path / "artifacts" / "a.pt"
    files.write_bytes(path, b"abc")
    entry = run.add_artifact(path, 3, "f" * 8, seconds=1.5)
    assert entry == {
        "path": "artifacts/a.pt",
        "sha256": files.sha256_bytes(b"abc"),
        "bytes": 3,
        "case": 3,
        "fingerprint": "f" * 8,
        "seconds": 1.5,
    }
    assert run.manifest["artifacts"] == [entry]
    assert untrusted.read_json(run.path / "manifest.json")["artifacts"] == []
    other = {"path": "artifacts/b.pt"}
    run.update_manifest(artifacts=[entry], cases=[{"index": 1}])
    run.record_artifact(other)
    assert run.manifest["artifacts"] == [entry, other] and run.manifest["cases"] == [{"index": 1}]
    with open(run.path / "artifacts.jsonl", "a") as log:
        log.write('[1]\n{"path": "c"}\n{"pa')  # the last was cut off
    assert run.manifest["artifacts"] == [entry, other, {"path": "c"}]
    run.finish(RunResult("x", Verdict.PASS))
    assert untrusted.read_json(run.path / "manifest.json")["artifacts"] == [entry, other, {"path": "c"}]
    assert not (run.path / "artifacts.jsonl").exists()


def test_a_manifest_of_another_version_is_refused(run: RunFolder) -> None:
    run.update_manifest(schema_version=2)
    with pytest.raises(UsageError) as refused:
        run.update_manifest(title="x")
    path = run.path / "manifest.json"
    assert refused.value.message == f"{path} is not a manifest of this version (schema version 1)."


@pytest.mark.parametrize(
    ("verdict", "state"),
    [
        (Verdict.PASS, "finished"),
        (Verdict.REGRESSION, "finished"),
        (Verdict.NO_REFERENCE, "finished"),
        (Verdict.INCONCLUSIVE, "finished"),
        (Verdict.USAGE_ERROR, "failed"),
        (Verdict.INFRASTRUCTURE, "failed"),
        (Verdict.INTERRUPTED, "interrupted"),
    ],
)
def test_the_state_of_a_run_that_ended_follows_its_verdict(run: RunFolder, verdict: Verdict, state: str) -> None:
    run.finish(RunResult("x", verdict))
    status = untrusted.read_json(run.path / "status" / "status.json")
    assert (run.state, status["state"], status["verdict"]) == (state, state, verdict.value)
    assert untrusted.read_json(run.path / "result.json")["exit_code"] == verdict.exit_code


def test_only_processes_of_this_machine_can_be_looked_for(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    path = run.path / "status" / "status.json"
    dead = {"state": "running", "pid": 2**22 + 1, "host": socket.gethostname()}
    files.write_json(path, dead)
    assert run.state == "interrupted"
    for facts in ({"host": "another"}, {"state": "failed"}):
        files.write_json(path, dead | facts)
        assert run.state == (dead | facts)["state"]
    files.write_json(path, dead)

    def somebody_elses(pid: int, signal: int) -> None:
        assert (pid, signal) == (2**22 + 1, 0)
        raise PermissionError

    monkeypatch.setattr(os, "kill", somebody_elses)
    assert run.state == "running"


def test_stages_are_added_to_the_log_and_steps_are_not(run: RunFolder) -> None:
    run.stage("load")
    run.step(1, 2)
    run.stage("generate", 0, "\u00e9")
    log = run.path / "status" / "progress.log"
    first, second = log.read_text(encoding="utf-8").splitlines()
    assert first.endswith("Z | load | clip=- | msg=") and second.endswith("Z | generate | clip=0 | msg=\u00e9")
    log.unlink()
    log.mkdir()
    with pytest.raises(UsageError, match=f"Cannot write {log}: Is a directory"):
        run.stage("load")
    assert run.stdout_log == run.path / "status" / "stdout.log"


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ([], "it is []: "),
        ({}, "state is {}: Field required"),
        ({"state": "running", "pid": None, "host": "h"}, "pid is None: "),
        ({"state": "running", "pid": 0, "host": "h"}, "pid is 0: "),
        ({"state": "running", "pid": 2**31, "host": "h"}, "pid is 2147483648: "),
        ({"state": 1, "pid": 1, "host": "h"}, "state is 1: "),
    ],
)
def test_a_damaged_status_is_named(run: RunFolder, status: object, says: str) -> None:
    path = run.path / "status" / "status.json"
    files.write_json(path, status)
    with pytest.raises(UsageError) as refused:
        _ = run.state
    assert refused.value.message.startswith(f"{path} is not the status of a run: {says}")


@pytest.mark.parametrize(
    "changes",
    [
        {"artifacts": 5},
        {"artifacts": [{"path": 5, "case": 0}]},
        {"artifacts": [{"path": "a", "case": "x"}]},
        {"artifacts": [{"path": "a", "dropped": 5}]},
        {"artifacts": [[]]},
        {"cases": [1]},
        {"cases": {"a": 1}},
        {"environment": {"a": {}}},
        {"command": "fvhydra"},
        {"created": None},
        {"config": []},
        {"schema_version": "1"},
    ],
)
def test_a_manifest_has_the_types_of_one(run: RunFolder, changes: dict[str, object]) -> None:
    manifest = json.loads((run.path / "manifest.json").read_text())
    (run.path / "manifest.json").write_text(json.dumps(manifest | changes))
    with pytest.raises(UsageError, match="not a manifest of this version"):
        _ = run.manifest


@pytest.mark.parametrize("link", ["status", "report", "status/progress.log", "attempts", "result.json"])
def test_links_do_not_take_what_is_written_elsewhere(run: RunFolder, tmp_path: Path, link: str) -> None:
    place = run.path / link
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    place.symlink_to(tmp_path)
    with pytest.raises(UsageError, match="is a link"):
        RunFolder.open(run.path)
    with pytest.raises(UsageError, match="is a link"):
        run.start(op="generate", model="m", title="", command=[], config={})
