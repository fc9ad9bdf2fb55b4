# SPDX-License-Identifier: Apache-2.0
"""``op=reseed_perf``: a performance baseline moves by reviewed measurements, in one commit that adds records alone."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fvhydra.core.errors import Unavailable
from fvhydra.performance.history import History, read_history
from fvhydra.performance.record import PerfRecord
from fvhydra.stores.local import LocalStore
from tests.conftest import Cli, run_at_terminal
from tests.ops.folders import latest_of, store_of, tree_of
from tests.performance.making import local_store, record, with_identity
from tests.performance.test_sources import written
from tests.servers.artifacts import TOKEN, artifacts

TARGET = ("op=reseed_perf", "op.model_id=toy-1gpu", "op.gpu_type=NVIDIA L40S", "op.reason=torch 2.13 in the image")
BOTH = "op.confirm=[confirm performance reseed, upload]"
CLEAN = "op.confirm=[confirm performance reseed, upload, cleanup reseed temp]"

Words = Callable[..., tuple[str, ...]]


@pytest.fixture
def words(tmp_path: Path) -> Words:
    """The words that re-seed with sources: three slower ones unless others are given."""

    def make(*records: PerfRecord) -> tuple[str, ...]:
        given = records or tuple(record(day, latency=12.0 + day / 100) for day in (11, 12, 13))
        return (*TARGET, f"op.source_results=[{','.join(written(tmp_path, *given))}]")

    return make


def _history(folder: Path) -> History:
    return read_history(store_of(folder), folder / "read", strict=True)


def _run(folder: Path) -> Path:
    return (folder / "outputs" / "latest").resolve()


@pytest.mark.parametrize("make", [record, with_identity], ids=["pair", "identity"])
def test_a_re_seed_adds_records_keeps_a_backup_and_says_what_it_did(
    command: Cli, tmp_path: Path, words: Words, make: Callable[..., PerfRecord]
) -> None:
    elsewhere = record(1, model_id="other")
    local_store(tmp_path / "store", [*(make(day) for day in range(1, 7)), elsewhere])
    before = tree_of(tmp_path)
    given = words(*(make(day, latency=12.0 + day / 100, success=day != 12) for day in (13, 11, 12)))
    done = command(*given, BOTH)
    assert done.code == 0, done.text
    after = tree_of(tmp_path)
    added = sorted(set(after) - set(before))
    assert {path: after[path] for path in before} == before
    assert [path[-15:] for path in added] == ["_reseed_01.json", "_reseed_02.json", "_reseed_03.json"]
    [entry] = store_of(tmp_path).log()[:1]
    assert sorted(entry.paths) == added and entry.provenance["kind"] == "reseed_perf"

    history = _history(tmp_path)
    made = [each for each in history.records if each.path in added]
    assert [each.value("latency") for each in made] == [12.11, 12.12, 12.13]
    assert [each.fields["baseline_reseed_source_success"] for each in made] == [True, False, True]
    assert history.baseline(made[0].target).medians["latency"] == 12.11
    newest = max(each.order[0] for each in history.records if each.path in before)
    assert all(each.order[0] > newest for each in made)

    run = _run(tmp_path)
    [backup] = (run / "backup").iterdir()
    text = (backup / "PROVENANCE.txt").read_text()
    wanted = ("model_id: toy-1gpu", "gpu_type: NVIDIA L40S", "count: 3", "max_intra_batch_regression: 0.05")
    assert all(line in text for line in (*wanted, "reason: torch 2.13 in the image", "records: "))
    kept = {path.relative_to(backup).as_posix() for path in backup.rglob("*.json")}
    assert kept == {path for path in before if make is with_identity or path.startswith("toy-1gpu/")}
    assert "toy-1gpu" in backup.name and len(backup.name.split("_")) >= 4

    for part in ("3 usually do, 5 reset the window", "For the pull request:", "op=restore", entry.revision, *added):
        assert part in done.out, part
    assert "To delete what only this change needed:" in done.out and (run / "mirror").is_dir()
    page = (run / "report" / "index.html").read_text()
    assert "torch 2.13 in the image" in page and "12.11, 12.12, 12.13" in page
    [move] = latest_of(tmp_path)["baselines"]
    [latency] = [metric for metric in move["metrics"] if metric["name"] == "latency"]
    assert (latency["before"], latency["batch_median"], latency["after"]) == (10.0, 12.12, 12.11)
    assert move["successes"] == 6


def test_prepared_looked_at_published_and_cleaned_up(command: Cli, tmp_path: Path, words: Words) -> None:
    local_store(tmp_path / "store", [record(1)])
    before = tree_of(tmp_path)
    prepared = command(*words())
    assert prepared.code == 0 and tree_of(tmp_path) == before and "Nothing was written" in prepared.out
    run = _run(tmp_path)
    for wrong in (
        "upload", "confirm performance reseed", "[confirm reseed, upload]", "[Confirm performance reseed, upload]",
        "[confirm performance reseed, uplaod]", "cleanup reseed temp", "[confirm performance reseed, upload, cleanup]",
    ):  # fmt: skip
        refused = command("op=publish", f"run={run}", f"op.confirm={wrong}")
        assert refused.code == 2 and "is not what confirms this change" in refused.text, wrong
        assert tree_of(tmp_path) == before
    assert command("op=publish", f"run={run}", BOTH).code == 0
    assert len(tree_of(tmp_path)) == 4 and (run / "backup").is_dir()
    assert command("op=publish", f"run={run}", BOTH).code == 2, "it is published, and only the cleaning is left"
    cleaned = command("op=publish", f"run={run}", "op.confirm=cleanup reseed temp")
    assert cleaned.code == 0 and cleaned.out.count("Deleted") == 2, cleaned.text
    assert not (run / "mirror").exists() and not (run / "backup").exists() and (run / "prepared").is_dir()
    assert len(tree_of(tmp_path)) == 4


@pytest.mark.parametrize("name", ["backup", "mirror"])
def test_a_link_in_the_place_of_a_folder_keeps_what_it_leads_to(
    command: Cli, tmp_path: Path, words: Words, name: str
) -> None:
    local_store(tmp_path / "store", [record(1)])
    assert command(*words(), BOTH).code == 0
    run, precious = _run(tmp_path), tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("mine")
    shutil.rmtree(run / name)
    (run / name).symlink_to(precious)
    said = command("op=publish", f"run={run}", "op.confirm=cleanup reseed temp")
    assert "tampered" in said.text or "is a link" in said.text, said.text
    assert (precious / "thesis.txt").read_text() == "mine"


def test_everything_may_be_said_beforehand(command: Cli, tmp_path: Path, words: Words) -> None:
    done = command(*words(), CLEAN)
    assert done.code == 0 and "Deleted" in done.out and "this is its first baseline" in done.out, done.text
    assert len(tree_of(tmp_path)) == 3 and not (_run(tmp_path) / "backup").exists()


def test_the_command_that_is_suggested_publishes(command: Cli, tmp_path: Path, words: Words) -> None:
    shown = command(*words())
    assert shown.code == 0 and tree_of(tmp_path) == {}, shown.text
    following = latest_of(tmp_path)["change"]["publish"]
    summary = (_run(tmp_path) / "report" / "summary.md").read_text()
    assert following["command"] in summary and following["command"] in shown.out
    done = command(*shlex.split(following["command"])[3:])
    assert done.code == 0 and len(tree_of(tmp_path)) == 3, done.text


@pytest.mark.parametrize("wrong", ["upload", "[confirm performance reseed, uplod]", "[confirm reseed, upload]"])
def test_a_mistyped_phrase_does_nothing_at_all(command: Cli, tmp_path: Path, words: Words, wrong: str) -> None:
    refused = command(*words(), f"op.confirm={wrong}")
    assert refused.code == 2 and "'op.confirm=[confirm performance reseed, upload]'" in refused.text
    assert not (tmp_path / "outputs").exists() and not (tmp_path / "store").exists()


FIRST, THEN = ("'confirm performance reseed'", "confirm performance reseed\n"), ("'upload'", "upload\n")
LAST = ("'cleanup reseed temp'", "cleanup reseed temp\n")


@pytest.mark.parametrize(
    ("answers", "published", "cleaned"),
    [
        ([FIRST, THEN, LAST], True, True),
        ([FIRST, THEN, (LAST[0], "yes\n")], True, False),
        ([FIRST, THEN, (LAST[0], "\x03")], True, False),
        ([FIRST, (THEN[0], "y\n")], False, False),
        ([(FIRST[0], "confirm reseed\n")], False, False),
    ],
)
def test_at_a_terminal_it_asks_three_times(
    tmp_path: Path, cache_dir: Path, words: Words, answers: list[tuple[str, str]], published: bool, cleaned: bool
) -> None:
    shown = run_at_terminal(tmp_path, cache_dir, words(), answers)
    assert shown.code == 0, shown.out
    assert (len(tree_of(tmp_path)) == 3) is published
    assert (_run(tmp_path) / "backup").exists() is not cleaned
    for part in ("may be a real regression", "fixed ceiling", "HEAD:", "Backup:"):
        assert part in shown.out
    assert ("Medians (before" in shown.out) is (len(answers) > 1)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("op.reason=",), "op.reason='': must say why"),
        (("op.reason=...",), "op.reason='...': must say why"),
        (("op.model_id=",), "needs op.model_id"),
        (("op.gpu_type=",), "needs op.gpu_type"),
        (("op.source_results=[]",), "No source is given"),
        (("op.source_results=[]", "op.source_result=gone.json"), "There is no performance record"),
        (("op.source_results=[]", "op.source_result=s3://ci/a.json"), "by http and https only"),
        (("op.model_id=other",), "not of op.model_id='other'"),
        (("op.gpu_type=NVIDIA H100",), "not of op.gpu_type='NVIDIA H100'"),
        (("op.max_intra_batch_regression=0.0001",), "The sources disagree"),
        (("op.max_intra_batch_regression=0",), "max_intra_batch_regression"),
        (("launcher=modal",), "is done where the person is"),
    ],
)
def test_each_stop_is_named_and_leaves_nothing(
    command: Cli, tmp_path: Path, words: Words, given: tuple[str, ...], says: str
) -> None:
    local_store(tmp_path / "store", [record(1)])
    before = tree_of(tmp_path)
    refused = command(*(word for word in words() if word.split("=")[0] not in {g.split("=")[0] for g in given}), *given)
    assert refused.code == 2 and says in refused.text, refused.text
    assert tree_of(tmp_path) == before and not (tmp_path / "outputs" / "latest").exists()


def test_the_share_that_is_allowed_may_come_from_the_environment(command: Cli, words: Words) -> None:
    refused = command(*words(), PERF_MAX_REGRESSION="0.0001")
    assert refused.code == 2 and "more than 0.0% worse" in refused.text


def test_a_history_with_a_file_that_is_no_record_stops(command: Cli, tmp_path: Path, words: Words) -> None:
    local_store(tmp_path / "store", [record(1)], **{"toy-1gpu/broken.json": b"<html>"})
    refused = command(*words(), BOTH)
    assert refused.code == 2 and "toy-1gpu/broken.json" in refused.text and "op=supersede_perf" in refused.text
    assert len(tree_of(tmp_path)) == 2


def test_a_sync_that_fails_in_the_middle_stops(
    command: Cli, tmp_path: Path, words: Words, monkeypatch: pytest.MonkeyPatch
) -> None:
    local_store(tmp_path / "store", [record(day) for day in range(1, 5)])
    fetch = LocalStore.fetch

    def breaking(self: LocalStore, paths: Any, to: Path, revision: str | None = None) -> dict[str, Path]:
        fetch(self, list(paths)[:2], to, revision)
        raise Unavailable("the network went away")

    monkeypatch.setattr(LocalStore, "fetch", breaking)
    failed = command(*words(), BOTH)
    assert failed.code == 4 and "the network went away" in failed.text
    assert len(tree_of(tmp_path)) == 4 and not (_run(tmp_path) / "change.json").exists()


def test_somebody_who_appends_meanwhile_stops_it_without_a_retry(command: Cli, tmp_path: Path, words: Words) -> None:
    store = local_store(tmp_path / "store", [record(1)])
    assert command(*words()).code == 0
    store.commit({"other/1_abc.json": b'{"model_id": "other"}'}, message="nightly", provenance={"who": "bob"})
    before = tree_of(tmp_path)
    refused = command("op=publish", "run=outputs/latest", BOTH)
    assert refused.code == 2 and "bob changed" in refused.text and "Prepare the change again" in refused.text
    assert tree_of(tmp_path) == before
    assert command(*words(), BOTH).code == 0 and len(tree_of(tmp_path)) == len(before) + 3


def test_what_was_tampered_with_after_the_review_is_not_published(command: Cli, tmp_path: Path, words: Words) -> None:
    assert command(*words()).code == 0
    [first, *_] = sorted((_run(tmp_path) / "prepared").rglob("*.json"))
    first.write_text(json.dumps({**json.loads(first.read_text()), "latency": 99.0}))
    refused = command("op=publish", "run=outputs/latest", BOTH)
    assert refused.code == 2 and "was changed after the review" in refused.text and not (tmp_path / "store").exists()


def test_the_fixed_limits_that_go_on_failing_are_named(command: Cli, tmp_path: Path, words: Words) -> None:
    benchmark = {
        "config_schema_version": 2, "benchmark_id": "toy-1gpu", "workload_id": "toy", "variant_id": "v1",
        "benchmark_version": 3, "thresholds": {"L40S": {"max_generation_time_s": 11, "max_peak_memory_mb": 20000}},
    }  # fmt: skip
    (tmp_path / "benchmark.json").write_text(json.dumps(benchmark))
    done = command(*words(), "op.benchmark_file=benchmark.json", BOTH)
    assert done.code == 0 and "Still failing: max_generation_time_s" in done.out, done.text
    assert "max_peak_memory_mb" not in done.out


def test_sources_by_address_and_where_their_secrets_are_not(command: Cli, tmp_path: Path) -> None:
    bodies = {f"/{day}.json": json.dumps(record(day).fields).encode() for day in (1, 2, 3)}
    with artifacts(bodies) as ci:
        given = ",".join(f"'{ci.url}/secret/{day}.json?signature=planted_query'" for day in (1, 2, 3))
        refused = command(*TARGET, f"op.source_results=[{given}]")
        assert refused.code == 2 and "wants a login" in refused.text and "PERF_ARTIFACT_TOKEN" in refused.text
        done = command(*TARGET, f"op.source_results=[{given}]", BOTH, PERF_ARTIFACT_TOKEN=TOKEN)
    assert done.code == 0, done.text
    run = _run(tmp_path)
    assert len(list((run / "downloads").iterdir())) == 3
    assert _history(tmp_path).records[0].fields["baseline_reseed_source_result"] == f"{ci.url}/secret/1.json"
    everything = [path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(TOKEN in text or "planted_query" in text for text in (*everything, done.text))


@pytest.mark.parametrize("make", [record, with_identity], ids=["pair", "identity"])
def test_a_bad_seed_is_undone_as_a_change_and_comes_back_as_one(
    command: Cli, tmp_path: Path, words: Words, make: Callable[..., PerfRecord]
) -> None:
    local_store(tmp_path / "store", [make(day) for day in range(1, 6)])
    before = tree_of(tmp_path)
    given = words(*(make(day, latency=12.0) for day in (11, 12, 13)))
    assert command(*given, BOTH).code == 0
    reseeded, run = tree_of(tmp_path), _run(tmp_path)
    shown = command("op=restore", f"run={run}")
    assert shown.code == 0 and shown.out.count("Deletes toy-1gpu/") == 3, shown.text
    assert tree_of(tmp_path) == reseeded
    assert command("op=restore", f"run={run}", "op.confirm=upload").code == 2
    done = command("op=restore", f"run={run}", "op.confirm=[confirm delete, upload]")
    assert done.code == 0 and tree_of(tmp_path) == before, done.text
    assert _run(tmp_path).parent.name == "restore" and "restore: done" in done.out, "no model has a part in it"
    [move] = latest_of(tmp_path)["baselines"]
    latency = move["metrics"][0]
    assert (latency["before"], latency["after"]) == (12.0, 10.0)
    again = command("op=restore", f"run={run}")
    assert again.code == 2 and "nothing to restore" in again.text
    undone = command("op=restore", f"run={_run(tmp_path)}", "op.confirm=upload")
    assert undone.code == 0 and tree_of(tmp_path) == reseeded, undone.text


def test_a_benchmark_goes_back_to_a_revision(command: Cli, tmp_path: Path, words: Words) -> None:
    store = local_store(tmp_path / "store", [record(1)])
    before, revision = tree_of(tmp_path), store.head()
    assert command(*words(), BOTH).code == 0
    store.commit({"other/1_abc.json": b"{}"}, message="others")
    wrong = command("op=restore", "op.model_id=toy", f"op.revision={revision}")
    assert wrong.code == 2 and "has no record of toy, neither now nor in" in wrong.text
    wrong = command("op=restore", "op.model_id=toy-1gpu", "op.revision=nonsense")
    assert wrong.code == 2 and "There is no revision nonsense" in wrong.text
    none = command("op=restore", "op.model_id=toy-1gpu")
    assert none.code == 2 and "op.revision=" in none.text
    done = command(
        "op=restore", "op.model_id=toy-1gpu", f"op.revision={revision}", "op.confirm=[confirm delete, upload]"
    )
    assert done.code == 0 and set(tree_of(tmp_path)) == {*before, "other/1_abc.json"}, done.text
    assert _run(tmp_path).parent.name == "restore" and "restore: usage_error" in none.text  # no model has a part in it
