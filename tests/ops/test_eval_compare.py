# SPDX-License-Identifier: Apache-2.0
"""``op=eval_compare``: exit codes, what is left behind, odd paths, and evaluations that were made otherwise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fvhydra.core import files
from tests.conftest import Cli
from tests.evaluation.test_compare import evaluation

SSIM = '{common.ssim: "%s"}'


@pytest.fixture
def evaluations(cli: Cli, tmp_path: Path) -> tuple[Path, Path]:
    """Clips scored against themselves, and worse clips scored against the same; in folders with odd names."""
    found = []
    for name, strength in (("a, before (1)", "0"), ("b = after's", "0.5")):
        words = ("engine=mock", "model=wan21_t2v_1_3b", f"tier.perturb_weights={strength}", "prompts=smoke_suite")
        made = cli("op=generate", *words, f"runtime.output_dir='{tmp_path}/made {strength}'")
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


HERE = {"python": "3.11.2", "torch": "2.13.0", "cpu": "Some CPU", "host": "a"}


def made(folder: Path, environment: dict[str, Any] | None, value: float = 0.5, **how: Any) -> Path:
    """A folder as op=eval leaves it, with what its manifest says of how it was made; None: no manifest."""
    evaluation(folder, {"m.x": {"a.mp4": value}})
    if environment is not None:
        files.write_json(folder / "manifest.json", {"environment": environment, "evaluation": how})
    return folder


def test_other_devices_and_libraries_are_said_before_any_number(cli: Cli, tmp_path: Path) -> None:
    made(tmp_path / "a", HERE, device="cpu", libraries={"libavcodec": "62.1"})
    there = HERE | {"torch": "2.14.0", "host": "b"}
    made(tmp_path / "b", there, value=0.4, device="cuda", libraries={"libavcodec": "62.1"})
    done = cli("op=eval_compare", "runs=[a,b]", 'op.gate={m.x: ">=0"}')
    assert done.code == 1, done.text
    says = "Made differently: torch 2.13.0 before, 2.14.0 after; metrics.device cpu before, cuda after."
    run = tmp_path / "outputs" / "latest"
    expected = [
        {"key": "torch", "reference": "2.13.0", "run": "2.14.0"},
        {"key": "metrics.device", "reference": "cpu", "run": "cuda"},
        {"key": "host", "reference": "a", "run": "b"},
    ]
    for path in (run / "result.json", run / "comparison.json"):
        text = path.read_text(encoding="utf-8")
        assert json.loads(text)["environment_difference"] == expected
        assert text.index('"environment_difference"') < text.index('"difference": -0.')
    page, markdown = ((run / "report" / name).read_text(encoding="utf-8") for name in ("index.html", "summary.md"))
    for text, number in ((done.out, "-0.1"), (page, "-0.1"), (markdown, "-0.1")):
        assert says in text and text.index(says) < text.index(number), text
    assert page.index("The environment differs between the two") < page.index('id="overview"')
    assert "| key | before | after |" in markdown and "| `torch` | `2.13.0` | `2.14.0` |" in markdown


def test_the_same_machine_is_no_matter_to_speak_of(cli: Cli, tmp_path: Path) -> None:
    made(tmp_path / "a", HERE, device="cpu")
    made(tmp_path / "b", HERE | {"host": "another"}, device="cpu")
    done = cli("op=eval_compare", "runs=[a,b]")
    assert done.code == 0 and "eval_compare: done  1 of 1 metric(s) compared" in done.out, done.text


def test_what_is_not_recorded_is_said(cli: Cli, tmp_path: Path) -> None:
    made(tmp_path / "a", HERE)
    made(tmp_path / "b", None)
    done = cli("op=eval_compare", "runs=[a,b]")
    assert f"It is not recorded what {tmp_path / 'b'} was made with" in done.out, done.text
    result = json.loads((tmp_path / "outputs" / "latest" / "result.json").read_text())
    assert result["environment_difference"] is None


@pytest.mark.parametrize("environment", [{"torch": ["2"]}, "torch 2.13"])
def test_a_damaged_manifest_is_refused(cli: Cli, tmp_path: Path, environment: Any) -> None:
    made(tmp_path / "a", HERE)
    made(tmp_path / "b", environment)
    done = cli("op=eval_compare", "runs=[a,b]")
    assert done.code == 2 and "is not the manifest of an evaluation" in done.text, done.text
