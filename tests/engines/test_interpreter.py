# SPDX-License-Identifier: Apache-2.0
"""Another interpreter is found and checked before anything runs, and is given nothing that is ours."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fvhydra.config.engine import EngineConfig
from fvhydra.core.errors import UsageError
from fvhydra.core.progress import Silent
from fvhydra.core.trust import trust_classes
from fvhydra.engines.hosted import HostedEngine, describe
from fvhydra.testing import cases
from tests.conftest import ROOT, Cli

IMPORTED_THERE = (
    "__init__.py",
    *(f"config/{name}.py" for name in ("__init__", "problems", "secrets")),
    *(
        f"core/{name}.py"
        for name in ("__init__", "checks", "environment", "errors", "extras", "files", "loading", "progress")
    ),
    *(f"core/{name}.py" for name in ("text", "token", "trust")),
    "engines/**/*.py",
)
"""What an engine in another environment may import of this package."""

SINCE_3_11 = {
    "asyncio": {"TaskGroup", "Runner", "Barrier", "timeout"},
    "builtins": {"ExceptionGroup", "BaseExceptionGroup"},
    "contextlib": {"chdir"},
    "datetime": {"UTC"},
    "enum": {"StrEnum", "ReprEnum", "verify", "member", "nonmember"},
    "hashlib": {"file_digest"},
    "itertools": {"batched"},
    "math": {"cbrt", "exp2", "sumprod"},
    "operator": {"call"},
    "tomllib": {"load", "loads"},
    "typing": {"Self", "Never", "LiteralString", "Required", "NotRequired", "Unpack", "TypeVarTuple", "override"}
    | {"assert_never", "assert_type", "reveal_type", "dataclass_transform", "get_overloads"},
}
"""Names of the standard library that Python 3.10 does not have, by module."""

STUB = "tests.engines.stubs.Stub"


def config(target: str = STUB, **settings: Any) -> EngineConfig:
    return EngineConfig(_target_=target, name="stub", **settings)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has nothing at all."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, symlinks=True)
    return folder / "bin" / "python"


@pytest.mark.parametrize("pattern", IMPORTED_THERE)
def test_what_is_imported_there_is_python_3_10(pattern: str) -> None:
    for path in (ROOT / "fvhydra").glob(pattern):
        tree = ast.parse(path.read_text(), str(path), feature_version=(3, 10))
        newer = {f"{module}.{name}" for module, names in SINCE_3_11.items() for name in names}
        assert not newer.intersection(_names(tree)), path
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.TryStar)], path


def _names(tree: ast.AST) -> Iterator[str]:
    """What a module uses of others, as ``module.name``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.Name):
            yield f"builtins.{node.id}"


def test_every_interpreter_at_hand_serves_an_engine(tmp_path: Path) -> None:
    at_hand = [sys.executable]
    for minor in range(10, 20):
        found = shutil.which(f"python3.{minor}")
        if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            at_hand.append(found)
    for python in at_hand:
        engine = HostedEngine(config(python=python, options={"how": "none"}))
        engine.load(cases.request("ltx2", tmp_path), Silent())
        assert engine.generate(cases.case("ltx2"), Silent()).seconds == {"total_s": 1 / 3}
        facts = engine.facts()
        assert facts["engine.python"] == python
        assert engine.environment()["python"].startswith("3.")
        engine.close()


def test_nothing_of_this_environment_leads_there(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    engine = HostedEngine(config(python=str(bare), path=str(tmp_path), env={"STUB": "1"}, options={"how": "none"}))
    engine.load(cases.request("ltx2", tmp_path), Silent())
    facts = engine.facts()
    assert facts["path"][0] == str(tmp_path)
    assert not [entry for entry in facts["path"] if Path(entry).is_relative_to(ROOT) and "lib/python" not in entry]
    assert facts["environ"] == {"STUB": "1", "PYTHONPATH": str(tmp_path)}
    environment = engine.environment()
    assert (environment["torch"], environment["numpy"]) == ("not installed", "not installed")
    assert environment["av"]  # clips are written here
    engine.close()
    # and its own interpreter keeps what leads to an engine
    engine = HostedEngine(config(isolate=True, options={"how": "none"}))
    engine.load(cases.request("ltx2", tmp_path), Silent())
    assert engine.facts()["environ"]["PYTHONPATH"] == str(ROOT)
    engine.close()


def test_the_checkout_is_part_of_the_facts(tmp_path: Path) -> None:
    checkout = tmp_path / "engine"
    checkout.mkdir()
    git = ["git", "-C", str(checkout), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run([*git, *words], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    engine = HostedEngine(config(path=str(checkout), options={"how": "none"}))
    engine.load(cases.request("ltx2", tmp_path), Silent())
    facts = engine.facts()
    assert facts["engine.path"] == str(checkout)
    assert (facts["engine.git_commit"], facts["engine.git_dirty"]) == (head, "no")
    engine.close()


SCRIPT = "#!/bin/sh\n{}\n"


@pytest.mark.parametrize(
    ("settings", "message", "hint"),
    [
        ({"python": "no-such-python"}, "engine.python=no-such-python is no program that can be run.", "Give the path"),
        ({"python": "{tmp}/venv"}, "engine.python={tmp}/venv is no program that can be run.", "{tmp}/venv/bin/python"),
        ({"python": "{tmp}/old"}, "engine.python={tmp}/old is Python 3.8.18, and an engine needs 3.10 or newer.", ""),
        ({"python": "/bin/ls"}, "engine.python=/bin/ls is no Python interpreter.", "Give the path"),
        ({"python": "{tmp}/text"}, "engine.python={tmp}/text cannot be run: Exec format error.", ""),
        ({"path": "{tmp}/none"}, "engine.path={tmp}/none is not a folder.", "Give the folder"),
        ({"path": "{tmp}/old"}, "engine.path={tmp}/old is not a folder.", "Give the folder"),
    ],
)
def test_what_is_no_interpreter_is_said_before_anything_runs(
    tmp_path: Path, settings: dict[str, str], message: str, hint: str
) -> None:
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    for name, text in (
        ("venv/bin/python", SCRIPT.format("exit 0")),
        ("old", SCRIPT.format('[ "$1" = -c ] && echo 3.8.18; exit 1')),
        ("text", "\x00"),
    ):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    given = {key: value.format(tmp=tmp_path) for key, value in settings.items()}
    with pytest.raises(UsageError) as caught:
        describe(config(**given))
    assert caught.value.message == message.format(tmp=tmp_path)
    assert hint.format(tmp=tmp_path) in caught.value.hint


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("fvhydra.engines.mock.MockEngine", "cannot be imported (No module named 'numpy')"),
        ("tests.absent.Engine", "cannot be imported (No module named 'tests.absent')"),
        ("tests.engines.stubs.Unfinished", "lacks facts, generate, load, which fvhydra.engines.base.Engine asks for"),
        ("tests.engines.stubs.HOW", "is not a class derived from fvhydra.engines.base.Engine"),
    ],
)
def test_a_class_that_is_none_there_is_said_with_the_place(bare: Path, target: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        describe(config(target, python=str(bare)))
    assert caught.value.message.startswith(f"In {bare}: engine={target} ")
    assert message in caught.value.message


def test_a_person_is_told_at_once_and_no_folder_is_left(cli: Cli, tmp_path: Path, bare: Path) -> None:
    for words, message in (
        ([f"engine.python={bare}"], f"engine=diffusers needs torch, diffusers, transformers, accelerate, which {bare}"),
        (["engine.path=a, b"], "engine.path=a, b is not a folder."),
        (["engine.env={HF_TOKEN: hf_x}"], "is recorded, so HF_TOKEN must be set for the command itself"),
    ):
        done = cli("op=generate", "model=ltx2", *words)
        assert done.code == 2 and message in done.text, done.text
        assert "hf_x" not in done.text
    assert not (tmp_path / "outputs").exists()


def test_a_module_of_the_persons_own_runs_in_another_environment(
    tmp_path: Path, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lonely_engine.py").write_text(
        "from fvhydra.engines.base import Engine, GeneratedMedia\n"
        "class Lonely(Engine):\n"
        "    def load(self, request, progress): ...\n"
        "    def generate(self, case, progress): return GeneratedMedia(arguments={'prompt': case.prompt})\n"
        "    def facts(self): return {}\n"
    )
    (tmp_path / "json.py").write_text("raise RuntimeError('its neighbours are not for that environment')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match="was named by a file, and neither by this command line nor"):
        describe(config("lonely_engine.Lonely", python=str(bare)))
    trust_classes(["lonely_engine.Lonely"])
    engine = HostedEngine(config("lonely_engine.Lonely", python=str(bare)))
    engine.load(cases.request("ltx2", tmp_path), Silent())
    assert engine.generate(cases.case("ltx2"), Silent()).arguments == {"prompt": cases.PROMPT}
    engine.close()
