# SPDX-License-Identifier: Apache-2.0
"""Reading our own documentation: the commands it shows, the output it promises, the files it asks to write."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])

_FENCE = re.compile(r"(?:^File: `(?P<file>[^`]+)`\n\n)?^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.M | re.S)
_EXITS = re.compile(r"\s+# exits (\d+)$")


@dataclass
class Shown:
    """A command of a ``console`` block: a line that begins with ``$``, and below it lines of its output.

    ``...`` in a line of output stands for anything. The command ends with 0 unless it says ``# exits <code>``.
    """

    words: str
    code: int = 0
    output: list[str] = field(default_factory=list)

    def missing_from(self, printed: str) -> list[str]:
        """The lines that were promised and not printed."""
        patterns = {line: ".*".join(map(re.escape, line.split("..."))) for line in self.output}
        return [line for line, pattern in patterns.items() if not re.search(pattern, printed)]


@dataclass
class File:
    """A block below ``File: `path`:``, which the reader is to write."""

    path: str
    text: str


def steps(document: Path) -> list[Shown | File]:
    """What a reader who follows the document does, in order."""
    found: list[Shown | File] = []
    for block in _FENCE.finditer(document.read_text(encoding="utf-8")):
        if block["file"]:
            found.append(File(block["file"], block["body"]))
        elif block["language"] == "console":
            found += _commands(block["body"])
    return found


def languages(document: Path) -> set[str]:
    """Languages of the fenced blocks."""
    return {block["language"] for block in _FENCE.finditer(document.read_text(encoding="utf-8"))}


def links(document: Path) -> list[str]:
    """Targets of links and pictures that are not elsewhere on the web."""
    targets = re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8"))
    return [target for target in targets if not target.startswith(("http://", "https://"))]


def table_column(document: Path, heading: str) -> list[str]:
    """First column of the first table below a heading, without backticks."""
    _, _, after = f"\n{document.read_text(encoding='utf-8')}".partition(f"\n{heading}\n")
    table = re.search(r"(?:^\|.*\|\n)+", after, re.M)
    assert table, f"{document.name} has no table below {heading!r}"
    return [line.split("|")[1].strip().strip("`") for line in table[0].splitlines()[2:]]


def _commands(body: str) -> list[Shown]:
    found: list[Shown] = []
    for line in body.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            exits = _EXITS.search(line)
            found.append(Shown(_EXITS.sub("", line[2:]), int(exits[1]) if exits else 0))
        elif line.strip():
            found[-1].output.append(line.strip())
    return found
