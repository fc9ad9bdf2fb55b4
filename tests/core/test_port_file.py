# SPDX-License-Identifier: Apache-2.0
"""State files of ports: a person's text stays, what runs show is added, a stranger's file is data."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from fvhydra.core.errors import UsageError
from fvhydra.core.port import Port, Proof
from fvhydra.core.port_file import LINE, keep_evidence, port_path, read_port, unfilled

WRITTEN = """\
# kept: a comment
model_family: wan   # and this one
components:
  - {name: transformer, component_type: dit}

  - name: vae
    component_type: vae
official_ref_dir: ???
local_tests_readme: unknown
"""


def proof(status: str = "non_skip_pass", **other: str) -> Proof:
    facts = {"said": "ok", "command": "fvhydra op=smoke", "run": "outputs/1", "date": "2026-11-27T08:00:00Z"}
    more = {"engine": "diffusers", "engine_commit": None, "weights": "tiny", "commit": "a" * 40}
    return Proof(status=status, numbers={"checks": 3}, clean=True, **(facts | more | other))  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = port_path(tmp_path, "wan")
    file.write_text(WRITTEN)
    return file


def test_what_a_person_wrote_stays_to_the_byte(path: Path) -> None:
    keep_evidence(path, {"smoke": proof(said="first: # no comment\n---\n")})
    keep_evidence(path, {"vae": proof("debug_red"), "smoke": proof(said="second")})
    text = path.read_text()
    assert text.startswith(WRITTEN + LINE) and text.count(LINE) == 1
    found = read_port(path).evidence
    assert found.smoke == proof(said="second") and found.components == {"vae": proof("debug_red")}
    assert found.of("vae") == proof("debug_red") and found.of("parity") is None
    assert unfilled(path) == ["official_ref_dir", "local_tests_readme (add to unknown where you looked)"]


def test_a_file_without_a_line_break_at_its_end_gets_one(path: Path) -> None:
    path.write_text("model_family: wan")
    keep_evidence(path, {"smoke": proof()})
    assert path.read_text().startswith(f"model_family: wan\n{LINE}")


def _add(path: Path, name: str) -> None:
    for _ in range(10):
        keep_evidence(path, {name: proof()})


def test_several_writers_lose_nothing(path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    names = ["smoke", "parity", "example", "transformer", "vae"]
    processes = [fork.Process(target=_add, args=(path, name)) for name in names]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert all(read_port(path).evidence.of(name) for name in names)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("model_family: other\n", "model_family is other, and the file's name wan"),
        ("- a\n", "it must hold keys such as model_family"),
        ("model_family: wan\ncomponets: []\n", "there is no key componets. Did you mean 'components'?"),
        (
            "model_family: wan\ncomponents: [{name: a, component_type: dit, parity_statu: x}]\n",
            "no key components.0.parity_statu. Did you mean 'parity_status'?",
        ),
        ("model_family: wan\nevidence: {smoke: {stat: x}}\n", "no key evidence.smoke.stat"),
        (
            "model_family: wan\ncomponents: [{name: a, component_type: unet}]\n",
            r"components.0.component_type is 'unet': .*must be one of: dit, vae",
        ),
        ("model_family: wan\ncomponents: [{name: smoke, component_type: dit}]\n", "is there twice, or is the name of"),
        ("model_family: wan\nissues: {I1: {what: x}}\n", "issues.I1"),
        (
            "model_family: wan\nissues: {I001: {what: x, blocks: [vea]}}\n",
            "issues.I001.blocks: vea must be one of",
        ),
        (
            "model_family: wan\nescape_hatches: {E001: {kind: new_workload, issue: I009}}\n",
            "escape_hatches.E001.issue: there is no issue I009",
        ),
        ("model_family: wan\nescape_hatches: {E001: {kind: skip_it}}\n", "must be one of: drop_public_mode"),
        ("model_family: !!python/object/apply:os.system [ls]\n", "is not valid YAML"),
        ("model_family: " + "[" * 100 + "]" * 100, "is nested deeper than 64"),
    ],
)
def test_a_file_that_is_no_state_is_refused_and_stays(path: Path, text: str, says: str) -> None:
    path.write_text(text)
    with pytest.raises(UsageError, match=says):
        keep_evidence(path, {"smoke": proof()})
    assert path.read_text() == text


@pytest.mark.parametrize(
    "text",
    [
        "model_family: wan\nevidence: {}\n",
        f"model_family: wan\n{LINE}mode: pipeline-definition\n",
        "model_family: wan\n...\n",
    ],
)
def test_evidence_has_a_place_of_its_own(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(UsageError):
        keep_evidence(path, {"smoke": proof()})
    assert path.read_text() == text


@pytest.mark.parametrize("family", ["../wan", "a/b", "", ".wan", "a\nb"])
def test_a_family_is_no_path(tmp_path: Path, family: str) -> None:
    with pytest.raises(UsageError, match="can have no state file"):
        port_path(tmp_path, family)


def test_gates_are_components_then_modules_that_are_required_then_what_follows() -> None:
    port = Port("wan")
    port.model_index.required_modules = ["vae", "tokenizer"]
    port.model_index.passthrough_modules = ["tokenizer"]
    assert port.gates() == ["vae", "smoke", "parity", "example"]
