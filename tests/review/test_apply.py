# SPDX-License-Identifier: Apache-2.0
"""Applying a change is the only door into a store: one commit of what was reviewed, or nothing."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fvhydra.config.store import LocalStoreConfig
from fvhydra.core import files
from fvhydra.core.errors import Conflict, Exists, UsageError
from fvhydra.core.run import RunFolder
from fvhydra.review import change
from fvhydra.stores.local import LocalStore

PLACE = "reference_videos/smoke/CPU_reference_videos/model/SDPA"
OTHER = "reference_videos/smoke/CPU_reference_videos/other/SDPA"
DRAFT = "drafts/smoke/CPU_reference_videos/model/SDPA"


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(LocalStoreConfig("", "local", path=str(tmp_path / "store")))


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    (folder.path / "artifacts").mkdir(parents=True)
    return folder


def _file(run: RunFolder, path: str, content: bytes, replaces: str | None = None) -> change.ChangeFile:
    local = f"artifacts/{Path(path).name}"
    (run.path / local).write_bytes(content)
    return change.ChangeFile(path, local, files.sha256_bytes(content), replaces)


def _change(store: LocalStore, kind: str = "seed", parent: str | None = None, **parts: object) -> change.Change:
    made = change.Change(
        kind=kind,
        title="Seed one",
        reason="because",
        store=store.location,
        parent=store.head() if parent is None else parent,
        changes=[],
        provenance={"environment": {"torch": "2.13.0"}, "who": "somebody in a file"},
    )
    return dataclasses.replace(made, **parts)  # type: ignore[arg-type]


def _content(store: LocalStore, path: str, folder: Path) -> bytes:
    return store.fetch([path], folder)[path].read_bytes()


def test_a_seed_is_one_commit_that_says_who_and_why(run: RunFolder, store: LocalStore, tmp_path: Path) -> None:
    prepared = _change(store, changes=[_file(run, f"{PLACE}/a.pt", b"a"), _file(run, f"{PLACE}/a.pt.json", b"{}")])
    revision = change.apply_change(run, prepared, store, who="alice")
    [entry] = [entry for entry in store.log() if entry.paths]
    assert (revision, entry.revision) == (store.head(), store.head())
    assert entry.paths == (f"{PLACE}/a.pt", f"{PLACE}/a.pt.json") and entry.message == "Seed one"
    assert entry.provenance == {
        "environment": {"torch": "2.13.0"},
        "who": "alice",
        "operation": prepared.operation,
        "kind": "seed",
        "reason": "because",
    }
    assert _content(store, f"{PLACE}/a.pt", tmp_path / "there") == b"a"
    assert prepared.applied == revision and change.load_change(run) == prepared
    assert json.loads((run.path / "change.json").read_text())["applied"] == revision


def test_applying_twice_makes_one_commit(run: RunFolder, store: LocalStore) -> None:
    prepared = _change(store, changes=[_file(run, f"{PLACE}/a.pt", b"a")])
    first = change.apply_change(run, prepared, store, who="alice")
    again = change.apply_change(run, dataclasses.replace(prepared, applied=None), store, who="bob")
    assert again == first == store.head() and len(store.log()) == 1


def test_two_changes_have_two_operations(store: LocalStore) -> None:
    one, other = _change(store), _change(store)
    assert one.operation != other.operation and len(one.operation) == 32
    assert one.paths == [] and one.applied is None and one.schema_version == change.SCHEMA_VERSION


def test_paths_are_everything_that_is_touched(run: RunFolder, store: LocalStore) -> None:
    touching = _change(
        store,
        changes=[_file(run, f"{PLACE}/c", b"")],
        copies=[change.ChangeCopy(f"{PLACE}/b", f"{DRAFT}/x")],
        deletes=[f"{PLACE}/a"],
    )
    assert touching.paths == [f"{PLACE}/a", f"{PLACE}/b", f"{PLACE}/c"]


def test_a_taken_path_is_refused_and_nothing_of_the_change_is_written(run: RunFolder, store: LocalStore) -> None:
    store.commit({f"{PLACE}/a.pt": b"old"}, message="first")
    prepared = _change(store, changes=[_file(run, f"{PLACE}/a.pt", b"a"), _file(run, f"{PLACE}/b.pt", b"b")])
    with pytest.raises(Exists) as refused:
        change.apply_change(run, prepared, store, who="alice")
    assert refused.value.paths == [f"{PLACE}/a.pt"]
    assert set(store.files()) == {f"{PLACE}/a.pt"} and prepared.applied is None
    assert not (run.path / "change.json").exists()


def test_a_path_that_others_took_since_the_review_is_listed_with_all_that_are_taken(
    run: RunFolder, store: LocalStore
) -> None:
    paths = [f"{PLACE}/a.pt", f"{PLACE}/b.pt"]
    prepared = _change(store, changes=[_file(run, path, b"mine") for path in paths])
    for path in paths:
        store.commit({path: b"theirs"}, message="theirs")
    with pytest.raises(Exists) as refused:
        change.apply_change(run, prepared, store, who="alice")
    assert refused.value.paths == paths


def test_a_reseed_of_two_folders_looks_into_both_and_says_what_is_there(run: RunFolder, store: LocalStore) -> None:
    store.commit({f"{PLACE}/a.pt": b"old", f"{OTHER}/b.pt": b"old"}, message="first")
    digest = store.files()[f"{PLACE}/a.pt"].digest
    items = [_file(run, f"{PLACE}/a.pt", b"new", digest), _file(run, f"{OTHER}/b.pt", b"new", digest)]
    prepared = _change(store, "restore", changes=[*items, _file(run, f"{PLACE}/c.pt", b"c", "sha256:lost")])
    with pytest.raises(UsageError) as refused:
        change.apply_change(run, prepared, store, who="alice")
    assert refused.value.message == (
        f"The change says that at {PLACE}/c.pt it replaces sha256:lost, and revision {prepared.parent} has nothing "
        "there; nothing was published."
    )
    assert refused.value.hint == "Prepare the change again."
    prepared.changes = [_file(run, f"{PLACE}/a.pt", b"new")]
    with pytest.raises(UsageError, match=f"it replaces nothing, and revision .* has {digest} there"):
        change.apply_change(run, prepared, store, who="alice")
    prepared.changes = items
    assert change.apply_change(run, prepared, store, who="alice") == store.head()


def test_a_reseed_replaces_what_it_says_and_brings_a_sidecar(run: RunFolder, store: LocalStore, tmp_path: Path) -> None:
    store.commit({f"{PLACE}/a.pt": b"old"}, message="first")
    digest = store.files()[f"{PLACE}/a.pt"].digest
    items = [_file(run, f"{PLACE}/a.pt", b"new", digest), _file(run, f"{PLACE}/a.pt.json", b"{}")]
    change.apply_change(run, _change(store, "reseed", changes=items), store, who="alice")
    assert _content(store, f"{PLACE}/a.pt", tmp_path / "there") == b"new"


def test_a_promotion_moves(run: RunFolder, store: LocalStore, tmp_path: Path) -> None:
    store.commit({f"{DRAFT}/a.pt": b"draft"}, message="draft")
    promotion = _change(
        store,
        "promote",
        copies=[change.ChangeCopy(f"{PLACE}/a.pt", f"{DRAFT}/a.pt")],
        deletes=[f"{DRAFT}/a.pt"],
    )
    change.apply_change(run, promotion, store, who="alice")
    assert set(store.files()) == {f"{PLACE}/a.pt"}
    assert _content(store, f"{PLACE}/a.pt", tmp_path / "there") == b"draft"


def test_a_copy_is_of_the_reviewed_revision(run: RunFolder, store: LocalStore, tmp_path: Path) -> None:
    parent = store.commit({f"{DRAFT}/a.pt": b"reviewed"}, message="draft")
    promotion = _change(store, "promote", parent, copies=[change.ChangeCopy(f"{PLACE}/a.pt", f"{DRAFT}/a.pt")])
    store.commit({f"{DRAFT}/a.pt": b"later"}, message="another draft")
    change.apply_change(run, promotion, store, who="alice")
    assert _content(store, f"{PLACE}/a.pt", tmp_path / "there") == b"reviewed"


def test_commits_to_other_paths_in_between_are_kept(run: RunFolder, store: LocalStore) -> None:
    prepared = _change(store, changes=[_file(run, f"{PLACE}/a.pt", b"a")])
    store.commit({f"{OTHER}/x.pt": b"x"}, message="theirs", provenance={"who": "bob"})
    change.apply_change(run, prepared, store, who="alice")
    assert set(store.files()) == {f"{PLACE}/a.pt", f"{OTHER}/x.pt"}


def test_who_changed_the_same_paths_is_said_and_nothing_is_written(run: RunFolder, store: LocalStore) -> None:
    store.commit({f"{PLACE}/a.pt": b"old"}, message="first")
    digest = store.files()[f"{PLACE}/a.pt"].digest
    prepared = _change(store, "reseed", changes=[_file(run, f"{PLACE}/a.pt", b"mine", digest)])
    store.commit({f"{PLACE}/a.pt": b"theirs"}, message="their title", provenance={"who": "bob"})
    head = store.commit({f"{OTHER}/x.pt": b"x"}, message="later")
    time = store.log()[1].time
    with pytest.raises(Conflict) as refused:
        change.apply_change(run, prepared, store, who="alice")
    assert refused.value.paths == [f"{PLACE}/a.pt"]
    said = f"bob changed the same files at {time} (their title); nothing was published:\n    {PLACE}/a.pt"
    assert refused.value.message == said
    assert refused.value.hint == "Look at what is there now, then prepare the change again."
    assert store.head() == head


def test_a_commit_before_the_review_is_no_conflict(run: RunFolder, store: LocalStore) -> None:
    store.commit({f"{PLACE}/a.pt": b"older"}, message="older")
    store.commit({f"{PLACE}/a.pt": b"old"}, message="old")
    digest = store.files()[f"{PLACE}/a.pt"].digest
    prepared = _change(store, "reseed", changes=[_file(run, f"{PLACE}/a.pt", b"mine", digest)])
    store.commit({f"{OTHER}/x.pt": b"x"}, message="theirs")
    assert change.apply_change(run, prepared, store, who="alice") == store.head()


@pytest.mark.parametrize("kind", ["reseed_perf", "seed_perf"])
def test_what_was_reviewed_against_all_records_is_out_of_date_when_anybody_commits(
    run: RunFolder, store: LocalStore, kind: str
) -> None:
    prepared = _change(store, kind, changes=[_file(run, "wan/2_abc_reseed_01.json", b"{}")])
    store.commit({"other/1_abc.json": b"{}"}, message="a nightly run", provenance={"who": "bob"})
    with pytest.raises(Conflict, match=r"bob changed .*\(a nightly run\), after what was reviewed") as refused:
        change.apply_change(run, prepared, store, who="alice")
    assert set(store.files()) == {"other/1_abc.json"} and prepared.applied is None
    assert refused.value.hint == "Prepare the change again, and look at its numbers again."


def test_a_change_of_records_that_was_made_is_not_made_again_after_others_committed(
    run: RunFolder, store: LocalStore
) -> None:
    prepared = _change(store, "reseed_perf", changes=[_file(run, "wan/2_abc_reseed_01.json", b"{}")])
    first = change.apply_change(run, dataclasses.replace(prepared), store, who="alice")
    store.commit({"other/1_abc.json": b"{}"}, message="a nightly run")
    assert change.apply_change(run, prepared, store, who="bob") == first and len(store.log()) == 2


def test_an_anonymous_commit_is_somebodys(run: RunFolder, store: LocalStore) -> None:
    store.commit({f"{PLACE}/a.pt": b"old"}, message="first")
    digest = store.files()[f"{PLACE}/a.pt"].digest
    prepared = _change(store, "delete", changes=[_file(run, f"{PLACE}/a.pt", b"mine", digest)])
    store.commit({f"{PLACE}/a.pt": b"theirs"}, message="m")
    with pytest.raises(Conflict, match=r"^somebody changed"):
        change.apply_change(run, prepared, store, who="alice")


@pytest.mark.parametrize(
    ("harm", "says", "hint"),
    [
        (lambda run, _: (run.path / "artifacts/a.pt").unlink(), "was reviewed but is missing now",
         "Seed again, or copy the whole run folder."),
        (lambda run, _: (run.path / "artifacts/a.pt").write_bytes(b"x"), "was changed after the review",
         "Seed again."),
        (lambda _, made: made.blocked_by.extend(["finite", "std"]), "found what must not be published: finite, std",
         "If it is right all the same, publish with op.accept=[finite,std]."),
        (lambda _, made: setattr(made, "store", "another"), "was prepared for the store another, not for",
         "Use the same store= options as when it was prepared."),
        (lambda _, made: made.deletes.append(f"{PLACE}/z"), "change.json was tampered with",
         "Prepare the change again."),
        (lambda _, made: setattr(made.changes[0], "file", "../../x"), "outside of itself|tampered", ""),
    ],
)  # fmt: skip
def test_what_is_not_as_it_was_reviewed_writes_nothing(
    run: RunFolder, store: LocalStore, harm: Callable[[RunFolder, change.Change], object], says: str, hint: str
) -> None:
    prepared = _change(store, changes=[_file(run, f"{PLACE}/a.pt", b"a")])
    head = store.head()
    harm(run, prepared)
    with pytest.raises(UsageError, match=says) as refused:
        change.apply_change(run, prepared, store, who="alice")
    assert store.head() == head and not store.files()
    assert not hint or refused.value.hint == hint


def test_a_store_that_never_stands_still_is_given_up(
    run: RunFolder, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = _change(store, changes=[_file(run, f"{PLACE}/a.pt", b"a")])
    commit, attempts = LocalStore.commit, []

    def moving(self: LocalStore, *given: object, **named: object) -> str:
        attempts.append(named["parent"])
        commit(self, {f"{OTHER}/{len(attempts)}.pt": b"x"}, message="theirs")
        raise Conflict("moved")

    monkeypatch.setattr(LocalStore, "commit", moving)
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr("fvhydra.review.change.Patience", lambda: _Patience(3))
    with pytest.raises(Conflict, match="kept moving while the change was applied") as given_up:
        change.apply_change(run, prepared, store, who="alice")
    assert given_up.value.hint == "Try again in a minute."
    heads = [entry.revision for entry in reversed(store.log())]
    assert attempts == [prepared.parent, *heads[:2]]  # each on the head of then


class _Patience:
    def __init__(self, times: int) -> None:
        self._left = times

    def wait(self, error: Exception) -> None:
        self._left -= 1
        if not self._left:
            raise error


def _runs(tmp_path: Path, store: LocalStore, *prepared: change.Change) -> Path:
    """A folder with a run folder for each change, as it was prepared; the first sorts last."""
    for name, made in zip("cba", prepared, strict=False):
        folder = RunFolder(tmp_path / "runs" / name)
        folder.path.mkdir(parents=True)
        change.save_change(folder, made)
    return tmp_path / "runs"


def test_a_change_whose_command_was_killed_is_found_by_what_it_put_there(
    run: RunFolder, store: LocalStore, tmp_path: Path
) -> None:
    prepared = _change(store, changes=[_file(run, f"{PLACE}/a.pt", b"a"), _file(run, f"{PLACE}/a.pt.json", b"{}")])
    paths = list(reversed(prepared.paths))
    other = dataclasses.replace(prepared, operation="0" * 32)  # was never applied
    runs = _runs(tmp_path, store, other, prepared)
    assert change.published_before(runs, store, paths) is None
    revision = change.apply_change(run, dataclasses.replace(prepared), store, who="alice")
    assert change.published_before(runs, store, paths) == (runs / "b", revision)
    assert change.published_before(runs, store, paths[:1]) is None
    (runs / "c" / "change.json").write_text("{")  # what is damaged is not the one
    assert change.published_before(runs, store, paths) == (runs / "b", revision)
    for told in (dataclasses.replace(prepared, applied=revision), dataclasses.replace(prepared, store="another")):
        change.save_change(RunFolder(runs / "b"), told)
        assert change.published_before(runs, store, paths) is None


def test_the_newest_of_equal_changes_is_the_one(run: RunFolder, store: LocalStore, tmp_path: Path) -> None:
    prepared = _change(store, changes=[_file(run, f"{PLACE}/a.pt", b"a")])
    runs = _runs(tmp_path, store, prepared, prepared)
    revision = change.apply_change(run, dataclasses.replace(prepared), store, who="alice")
    assert change.published_before(runs, store, prepared.paths) == (runs / "c", revision)
