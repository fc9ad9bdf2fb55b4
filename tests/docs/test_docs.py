# SPDX-License-Identifier: Apache-2.0
"""The documentation is true: its commands run, print what it shows, and its tables agree with the code."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from fvhydra.config.schema import conf_dir
from fvhydra.core.verdict import Verdict
from fvhydra.testing.command_line import run_forked
from tests.conftest import ROOT, clean_environment
from tests.docs import keys
from tests.docs.documents import DOCUMENTS, File, languages, links, steps, table_column

LONG = (
    *("adding_a_launcher.md", "adding_a_store.md", "adding_a_metric.md", "adding_an_engine.md"),
    *("configuration.md", "parity.md", "performance.md", "ports.md"),
)
"""Documents that run a whole contract, pipelines at two sides, or long enough to be measured."""

WITH_COMMANDS = [
    pytest.param(document, marks=pytest.mark.slow if document.name in LONG else ())
    for document in DOCUMENTS
    if steps(document)
]


@pytest.mark.parametrize("document", WITH_COMMANDS, ids=lambda document: document.name)
def test_a_reader_who_follows_it_gets_what_it_shows(document: Path, tmp_path: Path, cache_dir: Path) -> None:
    environment = clean_environment(tmp_path, cache_dir)
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    for step in steps(document):
        if isinstance(step, File):
            (tmp_path / step.path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / step.path).write_text(step.text, encoding="utf-8")
            continue
        code, printed = typed(step.words, tmp_path, environment)
        assert code == step.code, f"$ {step.words}\n{printed}"
        assert not step.missing_from(printed), f"$ {step.words}\n{printed}"


def typed(line: str, folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Exit code and output of a line; one that needs no shell is forked from what is loaded already."""
    if line.startswith("fvhydra ") and not set(line) & set("|&;<>$`*?#~{"):
        done = run_forked(folder, environment, *shlex.split(line)[1:])
        return done.code, done.text
    process = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=180,
        check=False,
    )
    return process.returncode, process.stdout


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_its_links_lead_somewhere(document: Path) -> None:
    assert [link for link in links(document) if not (document.parent / link.partition("#")[0]).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_block_says_what_it_is(document: Path) -> None:
    # console is executed; sh is for make, GPUs and networks; a python or yaml block that is a file is written
    assert languages(document) <= {"console", "sh", "text", "python", "yaml", "json"}


def test_the_readme_lists_every_op() -> None:
    assert table_column(ROOT / "README.md", "## Ops") == sorted(path.stem for path in (conf_dir() / "op").iterdir())


@pytest.mark.parametrize(
    ("document", "heading"), [("README.md", "## Exit codes"), ("docs/exit_codes.md", "# Exit codes")]
)
def test_the_exit_codes_are_those_of_the_code(document: str, heading: str) -> None:
    listed = [int(code) for code in table_column(ROOT / document, heading)]
    assert listed == sorted({verdict.exit_code for verdict in Verdict})


def test_every_verdict_is_explained() -> None:
    assert table_column(ROOT / "docs" / "exit_codes.md", "## Verdicts") == [verdict.value for verdict in Verdict]


def test_the_floors_are_those_that_lint_enforces() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    [contract] = [item for item in project["tool"]["importlinter"]["contracts"] if item["type"] == "layers"]
    layers = [layer.replace("fvhydra.", "").replace(" | ", ", ") for layer in contract["layers"]]
    assert table_column(ROOT / "docs" / "architecture.md", "## Floors") == layers


def test_every_key_is_listed_with_its_line() -> None:
    assert keys.written() == keys.tables(), "run: python -m tests.docs.keys"
