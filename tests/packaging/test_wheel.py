# SPDX-License-Identifier: Apache-2.0
"""The wheel is whole: installed alone into a fresh environment, it does the main job from an empty folder."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT, clean_environment

_WHERE = "import fvhydra; print(fvhydra.__file__)"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT))
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel; the dependencies are borrowed from the one that runs the tests."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    _run(sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel))
    [site_packages] = folder.glob("lib/python*/site-packages")
    # a .pth file found through another .pth file is not read, so the editable install there cannot shadow the wheel
    borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site_packages / "borrowed.pth").write_text("\n".join(borrowed) + "\n", encoding="utf-8")
    return folder


def test_it_carries_what_is_no_python(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("conf", "fvhydra/report/templates"):
        for path in (ROOT / folder).rglob("*"):
            name = path.relative_to(ROOT).as_posix()
            assert path.is_dir() or (name if name.startswith("fvhydra/") else f"fvhydra/{name}") in names
    assert {"fvhydra/conf/prompts/images/astronaut.png", "fvhydra/py.typed"} <= names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]


def test_it_does_the_main_job(installed: Path, tmp_path: Path, cache_dir: Path) -> None:
    environment = clean_environment(tmp_path, cache_dir)
    environment.pop("PYTHONPATH", None)
    fvhydra = str(installed / "bin" / "fvhydra")
    where = _run(str(installed / "bin" / "python"), "-c", _WHERE, cwd=tmp_path, env=environment)
    assert Path(where.strip()).is_relative_to(installed)
    assert "check_ssim           Regenerate" in _run(fvhydra, "--help", cwd=tmp_path, env=environment)
    assert list(tmp_path.iterdir()) == []
    seeded = _run(fvhydra, "op=seed_ssim", "engine=mock", "op.confirm=upload", cwd=tmp_path, env=environment)
    assert "Published 2 file(s)" in seeded
    assert "check_ssim ltx2: pass" in _run(fvhydra, "op=check_ssim", "engine=mock", cwd=tmp_path, env=environment)
    assert (tmp_path / "outputs" / "latest" / "report" / "index.html").is_file()


def _run(*command: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
