# SPDX-License-Identifier: Apache-2.0
"""``op=bisect``: which commit of an engine a check fails with, and what there is to read of the way there."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fvhydra.core.bisection import Attempt
from fvhydra.core.verdict import Verdict
from fvhydra.ops import bisect
from tests.conftest import Cli
from tests.ops.folders import latest_of
from tests.ops.repository import BAD, GOOD, commit, repository

WORDS = ("op=bisect", "engine=mock", "engine._target_=toy.Toy", "engine.path=engine", "op.good=v1", "op.bad=main")
CLIP = ("model=wan21_t2v_1_3b", "prompt=a cat", "sampling.num_frames=5")

Judge = Callable[[Path], Verdict]


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Checks that look at the file of the engine instead of running it; what it said, in the order of the checks."""
    seen: list[str] = []

    def look(context: Any, config: Any, engine_path: Path, folder: Path) -> Attempt:
        said = (engine_path / "toy_parts" / "quality.py").read_text().split()[0]
        again = seen.count(said)
        seen.append(said)
        if said.startswith("stop") and not again:
            raise KeyboardInterrupt
        words = {"NOISE": "0", "broken": "usage_error", "flaky": "infrastructure", "lost": "infrastructure"}
        quality = (engine_path / "toy_parts" / "quality.py").read_text()
        verdict = Verdict(words[said]) if said in ("broken", "lost") else Verdict.PASS
        if "NOISE = 1" in quality:
            verdict = Verdict.REGRESSION
        if said == "flaky" and again < 2:
            verdict = Verdict.INCONCLUSIVE
        folder.mkdir(parents=True)
        (folder / "output.log").write_text("as it was\n")
        return Attempt(verdict, f"it says {said}", None, context.run.relative(folder / "output.log"))

    monkeypatch.setattr(bisect, "check_commit", look)
    return seen


def _found(tmp_path: Path) -> dict[str, Any]:
    found: dict[str, Any] = latest_of(tmp_path)["bisection"]
    return found


def test_the_page_names_the_first_bad_commit_and_all_that_was_looked_at(
    command: Cli, tmp_path: Path, checks: list[str]
) -> None:
    shas = repository(tmp_path / "engine", [GOOD, GOOD, GOOD, BAD, f"{BAD}#\n", f"{BAD}##\n"])
    done = command(*WORDS)
    assert done.code == 0, done.text
    assert f"First bad commit: {shas[3][:12]} change 3 (Ada, " in done.out
    assert f"To look at what it changed: git -C {tmp_path / 'engine'} show {shas[3]}" in done.out
    found = _found(tmp_path)
    assert found["first_bad"]["sha"] == shas[3] and found["commits"] == 5
    assert [step["outcome"] for step in found["steps"][:2]] == ["good", "bad"]  # both ends first
    page = (tmp_path / "outputs" / "latest" / "report" / "index.html").read_text()
    for step in found["steps"]:
        assert step["commit"]["sha"][:12] in page
    assert f"{shas[3][:12]} | bad, the first" in (
        (tmp_path / "outputs" / "latest" / "report" / "summary.md").read_text().replace("`", "")
    )
    assert not (tmp_path / "outputs" / "latest" / "checkout").exists()


def test_what_cannot_be_checked_is_skipped_and_named(command: Cli, tmp_path: Path, checks: list[str]) -> None:
    shas = repository(tmp_path / "engine", [GOOD, f"{GOOD}#\n", "broken\n", BAD, f"{BAD}#\n"])
    done = command(*WORDS)
    assert done.code == 5, done.text
    assert "2 commit(s) may be the first bad one, since skipped ones leave it open." in done.out
    assert f"Skipped: {shas[2][:12]} change 2: it says broken" in done.out
    assert checks.count("broken") == 1  # what is refused is refused again
    page = (tmp_path / "outputs" / "latest" / "report" / "index.html").read_text()
    assert "No single first bad commit" in page and page.count("change 3") >= 1


def test_a_check_that_could_not_tell_is_made_again(command: Cli, tmp_path: Path, checks: list[str]) -> None:
    flaky = "flaky\nNOISE = 0\n"
    shas = repository(tmp_path / "engine", [GOOD, flaky, BAD])
    done = command(*WORDS)
    assert done.code == 0 and f"First bad commit: {shas[2][:12]}" in done.out, done.text
    [step] = [step for step in _found(tmp_path)["steps"] if step["commit"]["sha"] == shas[1]]
    assert [attempt["verdict"] for attempt in step["attempts"]] == ["inconclusive", "inconclusive", "pass"]
    lost = command(*WORDS, "op.repeats=1", "op.good=v1", "op.bad=main~1")
    assert lost.code == 5 and "op.bad=main~1" in lost.out and "is good for op=check_ssim" in lost.out, lost.text


def test_ends_that_are_not_what_they_were_said_to_be_stop_the_search(
    command: Cli, tmp_path: Path, checks: list[str]
) -> None:
    shas = repository(tmp_path / "engine", [BAD, f"{BAD}#\n", GOOD])
    done = command(*WORDS)
    assert done.code == 5, done.text
    assert f"op.good=v1 ({shas[0][:12]}) is bad for op=check_ssim, so there is nothing to search" in done.out
    assert len(checks) == 1


def test_a_search_that_was_interrupted_goes_on(command: Cli, tmp_path: Path, checks: list[str]) -> None:
    stops = "stop\nNOISE = 1\n"
    shas = repository(tmp_path / "engine", [GOOD, f"{GOOD}#\n", stops, f"{BAD}#\n", f"{BAD}##\n"])
    stopped = command(*WORDS)
    assert stopped.code == 130, stopped.text
    looked = len(checks)
    [again] = re.findall(r"To go on from here: python -m fvhydra (.+)", stopped.out)
    done = command(*shlex.split(again))
    assert done.code == 0 and f"First bad commit: {shas[2][:12]}" in done.out, done.text
    assert len(checks) < 2 * looked  # the ends were not checked again
    found = _found(tmp_path)
    kept = [step for step in found["steps"] if step["kept"]]
    assert len(kept) >= 2 and all(step["attempts"][0]["log"].startswith("attempts/1/steps/") for step in kept)
    page = (tmp_path / "outputs" / "latest" / "report" / "index.html").read_text()
    assert 'href="../attempts/1/steps/' in page


def test_another_end_is_another_search(command: Cli, tmp_path: Path, checks: list[str]) -> None:
    repository(tmp_path / "engine", [GOOD, f"{GOOD}#\n", BAD])
    assert command(*WORDS).code == 0
    commit(tmp_path / "engine", "later", toy_parts__quality=f"{BAD}#\n")  # where main leads to now
    other = command(*WORDS, f"run={(tmp_path / 'outputs' / 'latest').resolve()}")
    assert other.code == 0, other.text
    assert not [step for step in _found(tmp_path)["steps"] if step["kept"]]
    again = command(*WORDS, f"run={(tmp_path / 'outputs' / 'latest').resolve()}")
    assert again.code == 0 and all(step["kept"] for step in _found(tmp_path)["steps"]), again.text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("engine.path=null",), "op=bisect searches the history of an engine."),
        (("engine.path=absent",), "engine.path="),
        (("op.good=???",), "op.good must be given: Commit, branch or tag of the checkout with which the check passes."),
        (("op.good=v9",), "op.good=v9 is no commit, branch or tag of"),
        (("op.check=bisect",), "op.check='bisect': must be one of: check_ssim, check_perf, parity"),
    ],
)
def test_what_cannot_be_searched_is_refused(
    words: tuple[str, ...], message: str, command: Cli, tmp_path: Path, checks: list[str]
) -> None:
    repository(tmp_path / "engine", [GOOD, BAD])
    refused = command(*WORDS, *words)
    assert refused.code == 2 and message in refused.text, refused.text
    assert not (tmp_path / "outputs").exists() and not checks


def test_a_dry_run_says_how_long_it_will_be(command: Cli, tmp_path: Path, checks: list[str]) -> None:
    repository(tmp_path / "engine", [GOOD] + [f"{BAD}# {number}\n" for number in range(8)])
    planned = command(*WORDS, "dry_run=true")
    assert planned.code == 0 and "8 commit(s) after" in planned.text and "about 5 checks" in planned.text, planned.text


def test_each_check_is_an_ordinary_run(cli: Cli, tmp_path: Path) -> None:
    shas = repository(tmp_path / "engine", [GOOD, "import nowhere\n", BAD])
    toy = ("engine=mock", "engine._target_=toy.Toy", "engine.path=engine", *CLIP)
    assert cli("op=seed_ssim", "engine=mock", *CLIP, "op.confirm=upload").code == 0
    done = cli("op=bisect", *toy, "op.good=v1", "op.repeats=0", "op.check_with={fail_fast: true}")
    assert done.code == 5, done.text
    assert f"Skipped: {shas[1][:12]} change 1: " in done.out and "nowhere" in done.out
    found = _found(tmp_path)
    assert [step["outcome"] for step in found["steps"]] == ["good", "bad", "skipped"]
    run = tmp_path / "outputs" / "latest"
    for step, verdict in zip(found["steps"][:2], ("pass", "regression"), strict=True):
        folder = run / step["attempts"][0]["folder"]
        manifest = json.loads((folder / "manifest.json").read_text())
        assert (manifest["op"], manifest["environment"]["engine.git_commit"]) == ("check_ssim", step["commit"]["sha"])
        assert json.loads((folder / "result.json").read_text())["verdict"] == verdict
        assert f'href="../{step["attempts"][0]["folder"]}/report/index.html"' in (run / "report/index.html").read_text()
    assert not [path for path in run.rglob("*") if path.is_symlink()]


@pytest.mark.slow
def test_the_commit_that_is_slower_is_found_by_measuring(cli: Cli, tmp_path: Path) -> None:
    slow = "NOISE = 0\nSECONDS = 1\n"
    shas = repository(tmp_path / "engine", [GOOD, f"{GOOD}#\n", slow, f"{slow}#\n"])
    toy = ("engine=mock", "engine._target_=toy.Toy", "engine.path=engine", *CLIP)
    perf = ("op.check=check_perf", "op.measure_with={runs: 3, warmup: 1}", "op.baseline=1")
    done = cli("op=bisect", *toy, "op.good=v1", *perf, "op.build=test -f toy.py && touch built")
    assert done.code == 0 and f"First bad commit: {shas[2][:12]} change 2" in done.out, done.text
    run = tmp_path / "outputs" / "latest"
    last = run / _found(tmp_path)["steps"][1]["attempts"][-1]["folder"]
    assert json.loads((last / "manifest.json").read_text())["op"] == "check_perf"
    assert (run / "baseline").is_dir() and not (tmp_path / "store").exists()  # the person's stays as it is
