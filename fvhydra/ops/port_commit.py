# SPDX-License-Identifier: Apache-2.0
"""Of which commit the evidence of a port is, and whether that still stands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fvhydra.core.errors import InfrastructureError
from fvhydra.ops.checkout import git


@dataclass(frozen=True)
class Commit:
    """Where a repository stands.

    Attributes:
        sha: Its commit, hex.
        clean: Whether the files that git knows are those of the commit, but for what was to be left out.
    """

    sha: str
    clean: bool


def present_commit(folder: Path, leave_out: Path | None = None) -> Commit | None:
    """Where the repository around a folder stands; None where there is none, or nothing was committed yet.

    Args:
        folder: In the repository.
        leave_out: Folder whose files do not count: state files of ports, which the evidence itself changes.
    """
    try:
        sha = git(folder, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    except InfrastructureError:
        return None
    return Commit(sha, not changed_since(folder, sha, leave_out))


def changed_since(folder: Path, sha: str, leave_out: Path | None = None) -> list[str]:
    """Files of the repository around a folder that are not as they were in a commit: what git knows, sorted.

    Raises:
        InfrastructureError: The commit is not in the repository.
    """
    root = Path(git(folder, "rev-parse", "--show-toplevel"))
    out: list[str] = []
    if leave_out is not None and leave_out.resolve().is_relative_to(root.resolve()):
        relative = leave_out.resolve().relative_to(root.resolve()).as_posix()
        out = [f":(exclude,top,literal){relative}"] if relative != "." else []
    words = [
        "diff",
        "--name-only",
        "--no-ext-diff",
        "--no-renames",
        "--ignore-submodules=untracked",
        "-z",
        "--end-of-options",
        sha,
    ]
    found = git(root, *words, "--", ":/", *out)
    return sorted(name for name in found.split("\0") if name)
