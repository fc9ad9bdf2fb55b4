# SPDX-License-Identifier: Apache-2.0
"""A real git repository of a toy engine, whose later commits are worse."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

WHO = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
}

ENGINE = """
from fvhydra.engines.mock import MockEngine
from toy_parts.quality import NOISE, SECONDS

class Toy(MockEngine):
    def generate(self, case, progress):
        media = super().generate(case, progress)
        if NOISE:
            media.frames = 255 - media.frames
        media.seconds = {"total_s": 1 + SECONDS}
        return media
"""


def git(folder: Path, *words: str) -> str:
    """Run git as Ada and return what it prints."""
    done = subprocess.run(
        ["git", "-C", str(folder), *words], env={**os.environ, **WHO}, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def commit(folder: Path, subject: str, **files: str) -> str:
    """Write files, their folders' separators written as two underscores, and commit; returns the commit."""
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", subject)
    return git(folder, "rev-parse", "HEAD")


def repository(folder: Path, qualities: list[str]) -> list[str]:
    """A commit for each quality: lines of ``toy_parts/quality.py``. Returns their hashes."""
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / "toy_parts").mkdir()
    (folder / "toy_parts" / "__init__.py").touch()
    found = [
        commit(folder, f"change {number}", toy=ENGINE, toy_parts__quality=text) for number, text in enumerate(qualities)
    ]
    git(folder, "tag", "v1", found[0])
    return found


GOOD = "NOISE = 0\nSECONDS = 0\n"
BAD = "NOISE = 1\nSECONDS = 0\n"
