# SPDX-License-Identifier: Apache-2.0
"""``op=eval_compare`` from the command line: exit codes, what is left behind, paths that are odd."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Cli

SSIM = '{common.ssim: "%s"}'


@pytest.fixture
def evaluations(cli: Cli, tmp_path: Path) -> tuple[Path, Path]:
    """Clips scored against themselves, and worse clips scored against the same; in folders with odd names."""
    found = []
    for name, strength in (("a, before (1)", "0"), ("b = after's", "0.5")):
        words = ("engine=mock", "model=wan21_t2v_1_3b", f"tier.perturb_weights={strength}", "prompts=smoke_suite")
        made = cli("op=generate", *words, f"job.output_dir='{tmp_path}/made {strength}'")
        assert made.code == 0, made.text
        scored = cli("op=eval", f"videos=made {strength}/latest", "references=made 0/latest", "metrics=pixel")
        assert scored.code == 0, scored.text
        found.append((tmp_path / "outputs" / "latest").resolve().rename(tmp_path / name))
    return found[0], found[1]


def test_what_became_worse_is_found_gated_and_shown(cli: Cli, evaluations: tuple[Path, Path], tmp_path: Path) -> None:
    before, after = (path.name for path in evaluations)
    free = cli("op=eval_compare", f"runs=['{before}', \"{after}\"]")
    assert free.code == 0, free.text
    assert "0/6/0 of 6 pairs, p = 0.031" in free.out
    latest = tmp_path / "outputs" / "latest"
    comparisons = {item["metric"]: item for item in json.loads((latest / "comparison.json").read_text())["comparisons"]}
    ssim = comparisons["common.ssim"]
    assert ssim["pairs"] == 6 and ssim["interval"][0] <= ssim["difference"] <= ssim["interval"][1] < 0
    lines = [json.loads(line) for line in (latest / "pairs.jsonl").read_text().splitlines()]
    changes = [abs(line["after"] - line["before"]) for line in lines if line["metric"] == "common.ssim"]
    assert changes == sorted(changes, reverse=True)
    assert lines[0]["clips"]["before"]["video"] != lines[0]["clips"]["after"]["video"]
    gated = cli("op=eval_compare", f"runs=['{before}',\"{after}\"]", f"op.gate={SSIM % '>=-0.01'}")
    assert gated.code == 1 and "common.ssim difference is -0." in gated.out, gated.text
    assert (latest / "report" / "junit.xml").read_text().count("<failure") == 1
    unknown = cli("op=eval_compare", f"runs=['{before}',\"{after}\"]", 'op.gate={common.sism: ">=0"}')
    assert unknown.code == 5 and "Did you mean 'common.ssim'?" in unknown.text
    same = cli("op=eval_compare", f"runs=['{before}','{before}']", f"op.gate={SSIM % '>=0'}")
    assert same.code == 0 and "0/0/6 of 6 pairs" in same.out, same.text


def test_what_is_no_evaluation_is_refused_before_anything_is_left_behind(cli: Cli, tmp_path: Path) -> None:
    for words, says in (
        ((), "needs two evaluations, and runs= has 0"),
        (("runs=[a,b,c]",), "runs= has 3"),
        (("runs=[a b, c]",), "a b is not a finished evaluation"),
        (("runs=[a,b]", 'op.gate={x: "3"}'), "must be limits such as '>=0.93'"),
    ):
        refused = cli("op=eval_compare", *words)
        assert refused.code == 2 and says in refused.text, refused.text
    assert not (tmp_path / "outputs").exists()
