# SPDX-License-Identifier: Apache-2.0
"""Programs of FFmpeg on this machine, in the order in which they are looked for.

fvhydra itself needs none, since PyAV brings the libraries along. What people run beside it does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

_SUFFIX = ".exe" if os.name == "nt" else ""


@dataclass(frozen=True)
class Program:
    """A program, and who named it: a variable, ``ffmpeg/bin``, ``PATH`` or ``imageio-ffmpeg``."""

    path: Path
    source: str

    def version(self) -> str:
        """What it says of itself, the first line; empty when it cannot be run."""
        try:
            said = subprocess.run([self.path, "-version"], capture_output=True, text=True, timeout=20, check=True)
        except (OSError, subprocess.SubprocessError):
            return ""
        return said.stdout.splitlines()[0] if said.stdout else ""


def find_programs(name: str, folder: Path, environment: Mapping[str, str]) -> Iterator[Program]:
    """Where ``ffmpeg`` or ``ffprobe`` is, the one that counts first.

    ``FFMPEG_BIN`` or ``FFPROBE_BIN`` (a program, or the folder of one), ``ffmpeg/bin`` in the project's folder,
    ``PATH``, and what imageio-ffmpeg ships. One that a variable names comes whether or not it is there.

    Args:
        name: ``ffmpeg`` or ``ffprobe``.
        folder: Of the project.
        environment: Variables of the process.
    """
    variable = f"{name.upper()}_BIN"
    if given := environment.get(variable):
        path = Path(given).expanduser()
        yield Program(path / f"{name}{_SUFFIX}" if path.is_dir() else path, variable)
    beside = folder / "ffmpeg" / "bin" / f"{name}{_SUFFIX}"
    if beside.is_file():
        yield Program(beside, "ffmpeg/bin")
    if found := shutil.which(name, path=environment.get("PATH", os.defpath)):
        yield Program(Path(found), "PATH")
    spec = find_spec("imageio_ffmpeg")
    if spec and spec.origin:
        for path in sorted((Path(spec.origin).parent / "binaries").glob(f"{name}-*{_SUFFIX}")):
            yield Program(path, "imageio-ffmpeg")
