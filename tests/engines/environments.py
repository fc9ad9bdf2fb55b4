# SPDX-License-Identifier: Apache-2.0
"""Python environments with other versions of an engine's libraries, and without ours.

``python -m tests.engines.environments`` makes them, once for this interpreter: ``make test`` does, so that no test has
to reach a network. What they need and this environment has (torch above all, 700 MB) is linked, not installed.
"""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

_BOTH = ("diffusers==0.38.0", "tokenizers==0.22.2", "httpx==0.28.1", "httpcore==1.0.9")
ENVIRONMENTS = {
    "diffusers-0.38": (*_BOTH, "transformers==5.5.0", "huggingface-hub==1.33.0"),
    "transformers-4": (*_BOTH, "transformers==4.57.6", "huggingface-hub==0.36.0"),
}
"""Name to what is installed in it."""

_LINKED = ("torch", "accelerate", "safetensors", "pillow", "torchsde", "ftfy")
"""What is linked beside what the installed packages ask for themselves."""

_NEVER = {"pydantic", "pydantic-core", "hydra-core", "omegaconf", "fvhydra"}
"""What is not there, whoever would like it: nothing that an engine imports there needs it."""


def environment(name: str) -> Path:
    """The interpreter of one of :data:`ENVIRONMENTS`, which is made when it is not there yet."""
    wanted = ENVIRONMENTS[name]
    here = [f"{item.name}=={item.version}" for item in metadata.distributions()]
    key = hashlib.sha256("\n".join([*wanted, *sorted(here), Path(__file__).read_text()]).encode()).hexdigest()[:12]
    folder = Path(sys.prefix) / "engine-environments" / f"{name}-{key}"
    folder.parent.mkdir(exist_ok=True)
    with open(folder.parent / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "made").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _make(folder, wanted)
            (folder / "made").touch()
    return folder / "bin" / "python"


def _make(folder: Path, wanted: Iterable[str]) -> None:
    venv.create(folder, symlinks=True)
    [site] = folder.glob("lib/python*/site-packages")
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "--disable-pip-version-check"]
    # no dependencies: pip would replace what is linked, and find its files in this environment
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-compile", *wanted], check=True)
    installed = list(metadata.distributions(path=[str(site)]))
    missing = {*_LINKED, *(name for item in installed for name in _required(item))}
    for item in _with_their_needs(missing, {_plain(item.name) for item in installed} | _NEVER):
        for top in {file.parts[0] for file in item.files or []} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(str(item.locate_file(top)))


def _with_their_needs(names: Iterable[str], without: set[str]) -> Iterable[metadata.Distribution]:
    """The distributions of this environment with these names, and all that they require."""
    todo, seen = list(names), set(without)
    while todo:
        name = _plain(todo.pop())
        if name not in seen:
            seen.add(name)
            try:
                found = metadata.distribution(name)
            except metadata.PackageNotFoundError:  # for another system, or an older Python
                continue
            todo += _required(found)
            yield found


def _required(item: metadata.Distribution) -> list[str]:
    return [re.split(r"[^A-Za-z0-9._-]", text)[0] for text in item.requires or [] if "extra ==" not in text]


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    for each in ENVIRONMENTS:
        print(environment(each))
