# SPDX-License-Identifier: Apache-2.0
"""``op=check_perf``: every verdict from the command line, what is appended to a store, and what is refused."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from fvhydra.performance.names import normalized_name, record_path, samples_path
from fvhydra.performance.record import PerfRecord
from fvhydra.performance.samples import SampleRun, write_samples
from tests.conftest import Cli
from tests.performance.making import local_store, record, with_identity
from tests.performance.test_benchmark import WAN

Check = Callable[..., Any]
OLD = [record(day) for day in range(1, 8)]
RUNS = (9.9, 10.0, 10.1, 10.0, 10.0)


@pytest.fixture
def check(command: Cli, tmp_path: Path) -> Check:
    """Check records as the folder of a bench has them, against a store that holds others."""

    def run(
        now: PerfRecord | Sequence[PerfRecord], *words: str, runs: Sequence[float] | None = RUNS, **env: str
    ) -> Any:
        for each in [now] if isinstance(now, PerfRecord) else now:
            put(tmp_path / "bench" / "performance", each, runs)
        return command("op=check_perf", "run=bench", f"op.mirror={tmp_path}/mirror", *words, **env)

    return run


def put(folder: Path, each: PerfRecord, runs: Sequence[float] | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / normalized_name(each)
    path.write_text(json.dumps(each.fields))
    if runs is not None:
        write_samples(samples_path(path), [SampleRun("measured", {"latency": value}) for value in runs])
    return path


def store_of(tmp_path: Path, records: Sequence[PerfRecord] = (), **others: bytes) -> Any:
    return local_store(Path(os.environ["FVHYDRA_STORE"]), records, **others)


def latest(tmp_path: Path) -> Path:
    return (tmp_path / "outputs" / "latest").resolve()


@pytest.mark.parametrize(
    ("now", "runs", "code", "said"),
    [
        (record(9), RUNS, 0, "check_perf: pass  Within the thresholds of 5 record(s)."),
        (record(9, latency=12.0), [12.0, 12.1, 12.0], 1, "check_perf: regression  Worse than the baseline: latency."),
        (record(9, gpu_type="NVIDIA H100"), RUNS, 3, "There is no eligible record of toy-1gpu on NVIDIA H100."),
        (with_identity(9, recipe_fingerprint="b"), RUNS, 3, "check_perf: recipe_mismatch  1 trusted record(s) of toy"),
        (record(9, success=False), RUNS, 4, "check_perf: infrastructure  The run failed, and no gate explains it."),
        (record(9), RUNS[:2], 5, "2 run(s) were measured; nothing is said of fewer than 3."),
        (record(9, latency=10.8), [9.9, 10.8, 11.5], 5, "Too noisy to say whether the threshold is exceeded: latency."),
    ],
)
def test_every_verdict_has_its_exit_code(
    check: Check, tmp_path: Path, now: PerfRecord, runs: Sequence[float], code: int, said: str
) -> None:
    store_of(tmp_path, [*OLD, with_identity(8)])
    shown = check(now, runs=runs)
    assert shown.code == code and said in shown.out, shown.text
    [found] = json.loads((latest(tmp_path) / "result.json").read_text())["performance"]
    assert found["reason"] in shown.out and found["runs"] == len(runs)
    assert len(found["metrics"]) == 7 and not (latest(tmp_path) / "change.json").exists()


def test_the_table_shows_what_moved_whatever_it_adds_up_to(check: Check, tmp_path: Path) -> None:
    store_of(tmp_path, OLD)
    shown = check(record(9, dit_time_s=6.24, vae_decode_time_s=1.76))
    lines = {line.split("  ")[1].strip(): line for line in shown.out.splitlines() if line.startswith("  ")}
    assert re.search(r"6\.24 s +6 s +\+4\.0% +\+5\.0% +pass", lines["DiT ↓"]), shown.text
    assert re.search(r"1\.76 s +2 s +-12\.0%", lines["VAE decode ↓"])
    assert re.search(r"1 s +1 s +\+0\.0% +any", lines["everything else ↓"])
    assert "[-1.0%, +1.0%]" in lines["latency ↓"] or "[-0" in lines["latency ↓"]
    suite = (latest(tmp_path) / "report" / "junit.xml").read_text()
    assert suite.count("<testcase") == 6 and "<failure" not in suite
    assert "| `DiT ↓` | `6.24 s` | `6 s` | `+4.0%` |" in (latest(tmp_path) / "report" / "summary.md").read_text()
    assert "toy-1gpu on NVIDIA L40S" in (latest(tmp_path) / "report" / "index.html").read_text()


def test_records_of_anywhere_are_checked_by_their_medians(command: Cli, tmp_path: Path) -> None:
    store_of(tmp_path, OLD)
    one, two = put(tmp_path / "ci", record(9)), put(tmp_path / "ci", record(10, latency=30.0))
    shown = command("op=check_perf", f"op.results=[{one},{two}]", f"op.mirror={tmp_path}/m")
    assert shown.code == 1 and "2 records: 1 pass, 1 regression." in shown.out, shown.text
    assert f"no single runs lie beside {one.name} and of 1 other(s)." in shown.out
    alone = command("op=check_perf", f"op.results={one}", PERFORMANCE_TRACKING_ROOT=f"{tmp_path}/elsewhere")
    assert alone.code == 0 and (tmp_path / "elsewhere" / record_path(OLD[0])).is_file(), alone.text


def test_the_ceilings_of_a_benchmark_hold_its_own_records_only(check: Check, tmp_path: Path) -> None:
    store_of(tmp_path, OLD)
    limits = {"thresholds": {"L40S": {"max_generation_time_s": 9.0}}, "regression_thresholds": {}}
    (tmp_path / "toy.json").write_text(json.dumps(WAN | {"benchmark_id": "toy-1gpu"} | limits))
    (tmp_path / "other.json").write_text(json.dumps(WAN | limits))
    over = check(record(9), "op.benchmark_file=toy.json")
    assert over.code == 1 and "Over the fixed ceiling of this GPU: latency 10 s, at most 9." in over.out, over.text
    assert "<= 9 s" in over.out and "moves in code review" in over.out and "op=reseed_perf" not in over.out
    other = check(record(9), "op.benchmark_file=other.json")
    assert other.code == 2 and "None of the records is of the benchmark wan-t2v-1.3b-2gpu" in other.text, other.text
    both = check([record(9), record(10, model_id=WAN["benchmark_id"])], "op.benchmark_file=other.json")
    assert both.code == 1 and "2 records: 1 pass, 1 regression." in both.out, both.text
    for path in (tmp_path / "bench" / "performance").glob("*wan*"):
        path.unlink()
    loose = {"regression_thresholds": {"latency": {"threshold_percent": 2}}, "thresholds": {}}
    (tmp_path / "toy.json").write_text(json.dumps(WAN | {"benchmark_id": "toy-1gpu"} | loose))
    assert check(record(9, latency=20.0), "op.benchmark_file=toy.json", runs=[20.0] * 3).code == 0


def test_a_bench_tells_the_ceilings_and_the_conditions_that_it_was_measured_under(command: Cli, tmp_path: Path) -> None:
    store_of(tmp_path, OLD)
    path = put(tmp_path / "bench" / "performance", record(9))
    runs = [SampleRun("measured", {"latency": value}, ("clock 900 MHz",) * (value > 10)) for value in RUNS]
    write_samples(samples_path(path), runs, {"ceilings": {"latency": 9.0, "volume": 1.0, "memory": "many"}})
    shown = command("op=check_perf", "run=bench", f"op.mirror={tmp_path}/mirror")
    assert shown.code == 1 and "latency 10 s, at most 9." in shown.out, shown.text
    assert "moved in 1 of 5 run(s) of toy-1gpu, which count all the same: clock 900 MHz." in shown.out


def test_synthetic_weights_are_compared_when_asked(check: Check, tmp_path: Path) -> None:
    store_of(tmp_path, OLD)
    assert check(record(9, weights="synthetic")).code == 3
    shown = check(record(9, weights="synthetic"), "op.any_weights=true")
    assert shown.code == 0 and "toy-1gpu on NVIDIA L40S, synthetic weights: pass" in shown.out, shown.text


# ------------------------------------------------------------------------------------------------------------ appending
@pytest.mark.parametrize(
    ("policy", "latency", "appended"),
    [("never", 10.0, False), ("pass", 10.0, True), ("pass", 20.0, False), ("always", 20.0, True)],
)
def test_what_is_appended_is_what_the_policy_says(
    check: Check, tmp_path: Path, policy: str, latency: float, appended: bool
) -> None:
    store = store_of(tmp_path, [with_identity(day) for day in range(1, 6)])
    now, before = with_identity(9, latency=latency), store.head()
    confirm = () if policy == "never" else ("op.confirm=upload",)
    shown = check(now, *confirm, runs=[latency] * 3, PERF_UPLOAD_POLICY=policy)
    assert shown.code == (0 if latency == 10.0 else 1), shown.text
    assert (store.head() != before) == appended == (record_path(now) in store.files())
    if appended:
        [entry] = store.log()[:1]
        assert entry.paths == (record_path(now),)
        assert (entry.provenance["kind"], entry.provenance["reason"]) == ("record", "checked")
        stored = json.loads(store.fetch([record_path(now)], tmp_path / "to")[record_path(now)].read_text())
        passed = latency == 10.0
        assert stored["comparison_status"] == ("PASS" if passed else "REGRESSION")
        assert (stored["success"], stored["baseline_eligible"]) == (passed, passed)
        assert stored["regression_thresholds"]["memory"]["threshold_absolute"] == 256.0
        assert set(now.fields) <= set(stored)
        again = check(now, *confirm, runs=[latency] * 3)
        assert f"{record_path(now)} is in the store already." in again.out and again.code == shown.code, again.text
    elif policy == "pass":
        assert "is not appended: op.record=pass takes only what passes." in shown.out


def test_nothing_is_appended_without_the_word(check: Check, tmp_path: Path, command: Cli) -> None:
    store = store_of(tmp_path, OLD)
    before = store.head()
    prepared = check(record(9), "op.record=pass")
    assert prepared.code == 0 and "Nothing was written to" in prepared.out and store.head() == before, prepared.text
    folder = latest(tmp_path)
    (line,) = [line.strip() for line in prepared.out.splitlines() if "op=publish" in line]
    assert line.endswith("op.confirm=upload")
    for word in ("Upload", "yes", "[upload,upload]", "confirm reseed"):
        wrong = check(record(9), "op.record=pass", f"op.confirm={word}")
        assert wrong.code == 2 and store.head() == before, wrong.text
    done = command("op=publish", f"run={folder}", "op.confirm=upload")
    assert done.code == 0 and record_path(record(9)) in store.files(), done.text


def test_somebody_else_appends_meanwhile(check: Check, tmp_path: Path, command: Cli) -> None:
    store = store_of(tmp_path, OLD)
    assert check(record(9), "op.record=pass").code == 0
    store.commit({record_path(record(10)): b"{}"}, message="another machine")
    folder = latest(tmp_path)
    assert command("op=publish", f"run={folder}", "op.confirm=upload").code == 0
    assert {record_path(record(9)), record_path(record(10))} <= store.files().keys()
    assert check(record(11), "op.record=pass").code == 0
    store.commit({record_path(record(11)): b"{}"}, message="the same")
    taken = command("op=publish", f"run={latest(tmp_path)}", "op.confirm=upload")
    assert taken.code == 2 and record_path(record(11)) in taken.text, taken.text


def test_an_older_record_keeps_its_kind(check: Check, tmp_path: Path) -> None:
    store = store_of(tmp_path, OLD)
    path = record_path(record(9))
    assert check(record(9), "op.record=pass", "op.confirm=upload").code == 0
    assert json.loads(store.fetch([path], tmp_path / "to")[path].read_text()) == record(9).fields
    other = record(10, gpu_type="NVIDIA H100")
    check(other, "op.record=always", "op.confirm=upload")
    path = record_path(other)
    stored = json.loads(store.fetch([path], tmp_path / "to")[path].read_text())
    assert stored == other.fields | {"baseline_eligible": False}  # the first of its kind is seeded, on purpose


def test_what_becomes_the_first_baseline_is_left_and_suggested(check: Check, tmp_path: Path) -> None:
    shown = check(with_identity(9, baseline_eligible=False))
    assert shown.code == 3 and "python -m fvhydra op=seed_perf op.model_id=toy-1gpu" in shown.out, shown.text
    source = latest(tmp_path) / "records" / record_path(with_identity(9))
    found = json.loads(source.read_text())
    assert (found["comparison_status"], found["success"], found["baseline_eligible"]) == (
        "CALIBRATION_NEEDED",
        True,
        False,
    )
    assert f"op.source_results={source.relative_to(tmp_path)}" in shown.out
    local = check(with_identity(10, run_source="local", software_profile_id="sw-2"))
    assert "op=reseed_perf" in local.out and "op=seed_perf op.source_results" not in local.out, local.text
    several = check([with_identity(day, baseline_eligible=False) for day in (9, 11)])
    assert several.out.count("op=seed_perf op.model_id") == 1
    assert f"{record_path(with_identity(9))},outputs" in several.out, several.text
    store_of(tmp_path, OLD)
    shutil.rmtree(tmp_path / "bench")
    worse = check(record(10, latency=30.0), runs=[30.0] * 3)
    assert "op=reseed_perf op.model_id=toy-1gpu 'op.gpu_type=NVIDIA L40S'" in worse.out, worse.text


# -------------------------------------------------------------------------------------------------------------- refused
def test_what_cannot_be_checked_is_refused_before_anything_is_written(command: Cli, tmp_path: Path) -> None:
    raw = tmp_path / "perf_toy.json"
    raw.write_text('{"benchmark_id": "toy", "avg_generation_time_s": 3}')
    good, nameless = put(tmp_path / "a", record(9)), put(tmp_path / "b", record(9, timestamp=None))
    cases = (
        ((), "op=check_perf needs records"),
        ((f"op.results={raw}",), "is a raw result"),
        ((f"run={tmp_path}/a", f"op.results={good}"), "both name records"),
        ((f"op.results={good}", "op.confirm=upload"), "confirms nothing: op.record=never"),
        ((f"op.results={nameless}", "op.record=pass"), "has no timestamp"),
        ((f"op.results=[{good},{good}]",), "Two of the records belong at toy-1gpu/"),
        ((f"op.results={good}", f"op.benchmark_file={raw}"), "has config_schema_version None"),
        ((f"op.results={good}", "op.record=pass", f"store.path={raw}/store"), f"{raw}/store"),
    )
    for words, said in cases:
        shown = command("op=check_perf", *words)
        assert shown.code == 2 and said in shown.text, (words, shown.text)
    assert not (tmp_path / "outputs").exists()


def test_a_history_that_cannot_be_read_is_no_pass(
    check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_of(tmp_path, OLD, **{"toy-1gpu/x.json": b"<html>"})
    shown = check(record(9))
    assert shown.code == 0 and "Left out: toy-1gpu/x.json of" in shown.out, shown.text
    for blob in (Path(store.location) / "objects").rglob("*"):
        if blob.is_file():
            blob.chmod(0o644)
            blob.write_bytes(b"x" * blob.stat().st_size)
    shown = check(record(9), f"op.mirror={tmp_path}/another")
    assert shown.code == 4, shown.text
