# SPDX-License-Identifier: Apache-2.0
"""``op=eval_compare`` of evaluations that were made on other devices or with other libraries says so first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fvhydra.core import files
from tests.conftest import Cli
from tests.evaluation.test_compare import evaluation

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
