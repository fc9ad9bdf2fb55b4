# SPDX-License-Identifier: Apache-2.0
"""What can be known of Windows without one: nothing that only POSIX has is needed where Windows is promised."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fvhydra.testing.command_line import clean_environment
from tests.conftest import ROOT
from tests.packaging.without_posix import MODULES, OS_NAMES, SIGNAL_NAMES

GUARDED = (
    *("forkserver.py", "worker.py", "launch/workers.py", "launch/pool.py", "launch/modal/container.py"),
    *("engines/process.py", "engines/channel.py", "engines/host.py", "core/processes.py"),
)
"""Modules that are reached only behind ``require_process_groups``, or that only Linux asks for anything."""


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / "fvhydra").rglob("*.py")):
        name = path.relative_to(ROOT / "fvhydra").as_posix()
        if not name.startswith("testing/"):
            yield name, ast.parse(path.read_text(encoding="utf-8"))


def _below_a_question(tree: ast.Module) -> set[ast.AST]:
    """All nodes under a condition that asks which system this is, either branch."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.If, ast.IfExp, ast.BoolOp)):
            asked = ast.unparse(node.test if not isinstance(node, ast.BoolOp) else node)
            if any(word in asked for word in ("hasattr(os", "hasattr(signal", "sys.platform", "os.name")):
                found |= set(ast.walk(node))
    return found


def test_names_of_posix_stand_where_windows_never_comes() -> None:
    found = []
    for name, tree in _modules():
        if name in GUARDED:
            continue
        asked = _below_a_question(tree)
        for node in ast.walk(tree):
            if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name) or node in asked:
                continue
            if (node.value.id == "os" and node.attr in OS_NAMES) or (
                node.value.id == "signal" and node.attr in SIGNAL_NAMES
            ):
                found.append(f"{name}:{node.lineno}: {node.value.id}.{node.attr}")
        for node in ast.walk(tree):
            names = [item.name for item in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            found += [f"{name}: import {one}" for one in names if one in MODULES and node not in asked]
    assert found == []


def test_text_is_never_in_the_encoding_of_the_machine() -> None:
    found = []
    for name, tree in _modules():
        if name == "core/processes.py":  # of Linux' /proc
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or any(item.arg in ("encoding", None) for item in node.keywords):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            place = node.args[1:] if isinstance(node.func, ast.Name) else node.args
            mode = next((item.value for item in (*place, *(k.value for k in node.keywords if k.arg == "mode"))
                         if isinstance(item, ast.Constant) and isinstance(item.value, str)), "r")  # fmt: skip
            plain = isinstance(node.func, ast.Name) and called == "open"
            if (plain and "b" not in mode and "opener" not in {k.arg for k in node.keywords}) or (
                called in ("read_text", "write_text") and len(node.args) < 2 and _is_path(node)
            ):
                found.append(f"{name}:{node.lineno}: {ast.unparse(node)[:80]}")
    assert found == []


def _is_path(node: ast.Call) -> bool:
    """Whether it is a method of a path, and not of a module of ours that has the same name."""
    owner = node.func.value if isinstance(node.func, ast.Attribute) else None
    return not (isinstance(owner, ast.Name) and owner.id in ("files", "untrusted")) and owner is not None


def _run(folder: Path, cache_dir: Path, *words: str, timeout_s: float = 240) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.packaging.without_posix", *words],
        cwd=folder,
        env=clean_environment(folder, cache_dir) | {"PYTHONPATH": str(ROOT), "USERNAME": "ada"},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def test_every_module_is_imported_without_posix(tmp_path: Path, cache_dir: Path) -> None:
    done = _run(tmp_path, cache_dir, "import")
    assert done.returncode == 0 and done.stdout == "", done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["op=seed_ssim", "op.confirm=upload"], 0, "Published 2 file(s)"),
        (["op=check_ssim"], 0, "check_ssim wan21_t2v_1_3b: pass"),
        (["op=generate"], 0, "generate wan21_t2v_1_3b: done"),
        (["op=eval", "videos=outputs/latest", "metrics=temporal"], 0, "1 ok"),
        (["op=watch", "from=outputs/latest"], 0, "watch: done"),
        (["op=bundle", "op.to=run.zip"], 0, "in"),
        (["op=generate", "engine.isolate=true"], 2, "An engine in a process of its own needs Linux or macOS"),
        (["op=generate", "launcher=pool"], 2, "launcher=pool needs Linux or macOS"),
    ],
)
def test_commands_without_posix(
    tmp_path_factory: pytest.TempPathFactory, cache_dir: Path, words: list[str], code: int, says: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "without-posix"  # one after the other, in one folder
    folder.mkdir(exist_ok=True)
    given = [*words, *(["engine=mock", "model=wan21_t2v_1_3b", "prompt_index=0"] if words[0] != "op=bundle" else [])]
    done = _run(folder, cache_dir, *given)
    assert done.returncode == code and says in done.stdout + done.stderr, done.stdout + done.stderr
