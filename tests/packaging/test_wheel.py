# SPDX-License-Identifier: Apache-2.0
"""The wheel is whole and light: alone in a fresh environment it compares and scores, and says what more would need."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
import venv
import zipfile
from email.parser import HeaderParser
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fvhydra import __version__
from fvhydra.core.extras import EXTRAS
from tests.conftest import ROOT, clean_environment

_HEAVY = {"torch", "diffusers", "transformers", "accelerate", "modal", "submitit", "soxr", "scipy", "sympy"}

# each command line in a child of its own, which shares what was imported
_SEVERAL = """
import json, os, sys
from fvhydra.cli import run
import fvhydra.driver

for words in json.loads(sys.argv[1]):
    print("\\0", *words, flush=True)
    if not os.fork():
        code = run(words)
        sys.stdout.flush()
        os._exit(code)
    print("\\nexits", os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT))
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel and what its base asks for, lent by the one that runs the tests."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    _run(sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel))
    [site_packages] = folder.glob("lib/python*/site-packages")
    for name in _closure(_requirements(wheel)):
        lent = distribution(name)
        for entry in {path.parts[0] for path in lent.files or [] if path.parts[0] not in ("..", "__pycache__")}:
            if not (site_packages / entry).exists():
                (site_packages / entry).symlink_to(Path(str(lent.locate_file(entry))))
    return folder


def test_it_carries_what_is_no_python(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("conf", "fvhydra/report/templates", "fvhydra/ops/templates"):
        for path in (ROOT / folder).rglob("*"):
            name = path.relative_to(ROOT).as_posix()
            assert path.is_dir() or (name if name.startswith("fvhydra/") else f"fvhydra/{name}") in names
    assert {"fvhydra/conf/prompts/images/astronaut.png", "fvhydra/py.typed"} <= names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]


def test_its_base_moves_no_library_of_an_engine(wheel: Path) -> None:
    assert _closure(_requirements(wheel)) & _HEAVY == set()
    assert _closure(_requirements(wheel, "diffusers")) & _HEAVY >= {"torch", "diffusers", "transformers", "accelerate"}


def test_every_extra_brings_the_modules_that_are_asked_for_by_its_name() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert {*EXTRAS, "all", "dev", "testing"} == set(extras)
    assert extras["all"] == [f"fvhydra[{','.join(sorted(EXTRAS))}]"]
    distributions = packages_distributions()
    for extra, modules in EXTRAS.items():
        named = {canonicalize_name(Requirement(line).name) for line in extras[extra]}
        bringing = {canonicalize_name(distributions[module][0]) for module in modules}
        assert named - bringing <= {"protobuf"}  # transformers imports it where a tokenizer needs it
        assert bringing <= _closure([Requirement(line) for line in extras[extra]])


def test_it_does_the_main_job_and_scores_pixels(installed: Path, tmp_path: Path, cache_dir: Path) -> None:
    environment = clean_environment(tmp_path, cache_dir)
    environment.pop("PYTHONPATH", None)
    where = "import fvhydra, importlib.util; print(fvhydra.__file__, importlib.util.find_spec('torch'))"
    file, torch = _run(str(installed / "bin" / "python"), "-c", where, cwd=tmp_path, env=environment).split()
    assert Path(file).is_relative_to(installed) and torch == "None"
    version = _run(str(installed / "bin" / "fvhydra"), "--version", cwd=tmp_path, env=environment)
    assert version == f"fvhydra {__version__}\n"
    assert list(tmp_path.iterdir()) == []
    words = ["engine=mock", "model=wan21_t2v_1_3b", "prompt_index=0"]
    clips = ["videos=outputs/check_ssim", "references=outputs/seed_ssim", "metrics=[pixel,temporal,optical_flow_dis]"]
    commands = [["op=seed_ssim", *words, "op.confirm=upload"], ["op=check_ssim", *words], ["op=eval", *clips]]
    answers = _answers(installed, tmp_path, cache_dir, commands)
    assert [code for code, _ in answers] == [0, 0, 0], answers
    for (_, said), expected in zip(
        answers, ["Published 2 file(s)", "check_ssim wan21_t2v_1_3b: pass", ", 0 failed"], strict=False
    ):
        assert expected in said
    assert (tmp_path / "outputs" / "latest" / "report" / "index.html").is_file()


def test_what_is_not_installed_is_said_in_one_line_before_anything_runs(
    installed: Path, tmp_path: Path, cache_dir: Path
) -> None:
    refused = {
        "diffusers": [["op=generate"], ["op=seed_ssim", "engine=mock", "model=ltx2"]],
        "slurm": [["op=generate", "engine=mock", "launcher=slurm", "dry_run=true"]],
        "modal": [["op=generate", "engine=mock", "model=wan22_ti2v_5b", "launcher=modal"]],
        "history": [["op=perf_history"]],
        "audio,diffusers": [["op=eval", "videos=clips", "metrics=[pixel,audio]"]],
    }
    (tmp_path / "clips").mkdir()
    for extras, commands in refused.items():
        for code, said in _answers(installed, tmp_path, cache_dir, commands):
            assert code == 2, said
            assert said.count("pip install") == 1 and f"\n  pip install 'fvhydra[{extras}]'\n" in said, said
    assert {path.name for path in tmp_path.iterdir()} == {"clips"}


@pytest.mark.slow
def test_what_is_not_installed_is_listed_all_the_same(installed: Path, tmp_path: Path, cache_dir: Path) -> None:
    commands = [
        ["--help"],
        ["launcher=modal", "engine=diffusers", "--cfg", "job"],
        ["op=metrics"],
        ["op=doctor", "engine=mock", "model=wan21_t2v_1_3b"],
    ]
    answers = _answers(installed, tmp_path, cache_dir, commands)
    assert [code for code, _ in answers] == [0] * len(commands), answers
    (_, help_), (_, composed), (_, metrics), (_, doctor) = answers
    assert "    slurm " in help_ and "weights_volume: hf-model-weights" in composed and "package missing" in metrics
    assert "extra modal" in doctor and "not installed: pip install 'fvhydra[modal]'" in doctor


def _answers(installed: Path, folder: Path, cache_dir: Path, commands: list[list[str]]) -> list[tuple[int, str]]:
    """The exit code of each command, and what it printed."""
    environment = clean_environment(folder, cache_dir)
    environment.pop("PYTHONPATH", None)
    python = str(installed / "bin" / "python")
    printed = _run(python, "-c", _SEVERAL, json.dumps(commands), cwd=folder, env=environment)
    parts = [part.rpartition("\nexits ") for part in printed.split("\0")[1:]]
    return [(int(code), said) for said, _, code in parts]


def _requirements(wheel: Path, extra: str = "") -> list[Requirement]:
    """What the wheel asks for, with an extra or without."""
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        lines = HeaderParser().parsestr(archive.read(name).decode()).get_all("Requires-Dist") or []
    return [item for item in map(Requirement, lines) if item.marker is None or item.marker.evaluate({"extra": extra})]


def _closure(requirements: list[Requirement]) -> set[str]:
    """Names of the distributions that come with them, as they are installed here."""
    found: set[str] = set()
    left = list(requirements)
    while left:
        item = left.pop()
        name = canonicalize_name(item.name)
        if name not in found:
            found.add(name)
            asked = [Requirement(line) for line in distribution(name).requires or []]
            extras = ["", *item.extras]
            left += [one for one in asked if not one.marker or any(one.marker.evaluate({"extra": e}) for e in extras)]
    return found


def _run(*command: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
