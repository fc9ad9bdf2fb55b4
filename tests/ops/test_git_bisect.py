# SPDX-License-Identifier: Apache-2.0
"""git's own search, beside the checkout of the person and never in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fvhydra.core.bisection import Outcome
from fvhydra.core.errors import UsageError
from fvhydra.ops.git_bisect import GitBisect, History
from tests.ops.repository import BAD, GOOD, commit, git, repository


def search(folder: Path, good: str, bad: str, judge: Callable[[Path, str], Outcome]) -> tuple[GitBisect, list[str]]:
    """Search to the end; what was looked at. The answer is read before the working tree goes."""
    looked = []
    with GitBisect(History(folder, good, bad), folder.parent / "tree") as found:
        found.start()
        while (sha := found.candidate) is not None:
            looked.append(sha)
            found.mark(sha, judge(found.engine_path, sha))
        answer, suspects = found.first_bad, found.suspects
        found.answer = answer, suspects  # type: ignore[attr-defined]
    return found, looked


def by_quality(tree: Path, sha: str) -> Outcome:
    return "bad" if "NOISE = 1" in (tree / "toy_parts" / "quality.py").read_text() else "good"


@pytest.mark.parametrize("first", [1, 6, 11])
def test_the_first_bad_commit_is_found_wherever_it_is(first: int, tmp_path: Path) -> None:
    folder = tmp_path / "engine"
    shas = repository(folder, [GOOD] * first + [f"{BAD}# {number}\n" for number in range(12 - first)])
    found, looked = search(folder, "v1", "main", by_quality)
    answer, suspects = found.answer  # type: ignore[attr-defined]
    assert answer is not None and answer.sha == shas[first] and not suspects
    assert (answer.subject, answer.author, answer.position) == (f"change {first}", "Ada", first)
    assert len(looked) <= 4 and not (tmp_path / "tree").exists()


def test_the_checkout_of_the_person_stays_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "engine"
    repository(folder, [GOOD, GOOD, BAD, BAD])
    hook = folder / ".git" / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/hooked\n")
    hook.chmod(0o755)
    (folder / "toy.py").write_text("# work in progress\n")
    before = (git(folder, "status", "--porcelain"), git(folder, "rev-parse", "HEAD"), git(folder, "branch", "--list"))
    search(folder, "v1", "main", by_quality)
    assert before == (
        git(folder, "status", "--porcelain"),
        git(folder, "rev-parse", "HEAD"),
        git(folder, "branch", "--list"),
    )
    assert not (tmp_path / "hooked").exists()
    assert git(folder, "worktree", "list").count("\n") == 0 and "bisect" not in git(folder, "for-each-ref")


def test_what_a_build_left_is_no_matter_and_an_old_tree_is_taken_away(tmp_path: Path) -> None:
    folder = tmp_path / "engine"
    shas = repository(folder, [GOOD, GOOD, GOOD, BAD, BAD])
    left = GitBisect(History(folder, "v1", "main"), tmp_path / "tree")
    left.__enter__()  # and was killed

    def builds(tree: Path, sha: str) -> Outcome:
        outcome = by_quality(tree, sha)
        (tree / "toy.py").write_text("# generated\n")
        (tree / "built.so").touch()
        return outcome

    found, _ = search(folder, "v1", "main", builds)
    assert found.answer[0].sha == shas[3]  # type: ignore[attr-defined]


def test_skipped_commits_leave_suspects(tmp_path: Path) -> None:
    folder = tmp_path / "engine"
    shas = repository(folder, [GOOD, GOOD, "broken", BAD])
    found, _ = search(folder, "v1", "main", lambda tree, sha: "skipped" if sha == shas[2] else by_quality(tree, sha))
    answer, suspects = found.answer  # type: ignore[attr-defined]
    assert answer is None and {commit.sha for commit in suspects} == {shas[2], shas[3]}


def test_a_checkout_may_be_a_folder_of_its_repository(tmp_path: Path) -> None:
    folder = tmp_path / "engine"
    repository(folder, [GOOD, BAD])
    with GitBisect(History(folder / "toy_parts", "v1", "main"), tmp_path / "tree") as found:
        assert (found.engine_path / "quality.py").read_text() == BAD
        found.check_out(found.history.good)
        assert (found.engine_path / "quality.py").read_text() == GOOD


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ("v2", "main", "op.good=v2 is no commit, branch or tag of"),
        ("v1", "--help", "op.bad=--help is no commit, branch or tag of"),
        ("v1", "v1", "are the same commit"),
    ],
)
def test_ends_that_are_none_are_refused(good: str, bad: str, message: str, tmp_path: Path) -> None:
    repository(tmp_path / "engine", [GOOD, BAD])
    with pytest.raises(UsageError, match=message):
        History(tmp_path / "engine", good, bad)


def test_what_is_no_checkout_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(UsageError, match=f"engine.path={path} is"):
            History(path, "v1", "main")


def test_a_good_commit_on_another_branch_that_mended_it_is_explained(tmp_path: Path) -> None:
    folder = tmp_path / "engine"
    repository(folder, [BAD, f"{BAD}# more\n"])
    git(folder, "checkout", "--quiet", "-b", "mended", "v1")
    commit(folder, "mend", toy_parts__quality=GOOD)
    with pytest.raises(UsageError, match="what is searched for was mended in the good one"):
        search(folder, "mended", "main", by_quality)
    assert not (tmp_path / "tree").exists()
