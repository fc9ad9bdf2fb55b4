# SPDX-License-Identifier: Apache-2.0
"""What a stranger may make of a file: other bytes, other values, other kinds of files."""

from __future__ import annotations

import copy
import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HOSTILE: list[Any] = [
    *(None, True, False, -1, 0, 2**31, 2**63, 10**18, 1.5, float("nan"), float("inf"), -1e308),
    *("", " ", "x", "../../outside/canary", "/dev/zero", "/etc/passwd", "~nobody-here/x", "a\0b", "\ud800", "\udc80"),
    *("a" * 300, "x/" * 3000, "${oc.env:HOME}", "{{7*7}}", "<script>alert(1)</script>", "\x1b[2J", "猫🎬", "NaN"),
    *([], {}, [[]], {"": {}}, [1, "a", None], {"a": [1]}, [0.5] * 1000),
]
"""Values of other types, sizes and meanings than any field expects."""

HUGE = ["9" * 5000, "[" * 100_000, '{"a":' * 200 + "1" + "}" * 200, "-" + "9" * 30, "1e999", '"' + "x" * 200_000 + '"']
"""JSON that is more than a value: written as it is."""


def bytes_mutated(data: bytes, dice: random.Random) -> bytes:
    """Other bytes of the same file."""
    ways = (
        lambda: data[: dice.randrange(max(len(data), 1))],
        lambda: b"",
        lambda: dice.randbytes(dice.choice((1, 100, 5000))),
        lambda: data + dice.randbytes(20),
        lambda: b"\xef\xbb\xbf\xff\xfe" + data,
        lambda: b"\0" * 1000,
        lambda: _flipped(data, dice),
        lambda: _flipped(data, dice),
        lambda: data * 3,
    )
    return dice.choice(ways)()


def json_mutated(data: bytes, dice: random.Random) -> bytes:
    """The JSON with one other value, one key less or more, or something that is none."""
    if dice.random() < 0.2:
        return bytes_mutated(data, dice)
    tree = json.loads(data)
    return _dumped(_changed(tree, dice), dice)


def lines_mutated(data: bytes, dice: random.Random) -> bytes:
    """The same in one of the lines of a file of JSON lines."""
    lines = data.splitlines()
    if dice.random() < 0.2 or not lines:
        return bytes_mutated(data, dice)
    place = dice.randrange(len(lines))
    lines[place] = _dumped(_changed(json.loads(lines[place]), dice), dice)
    if dice.random() < 0.2:
        lines.insert(place, lines[place])
    return b"\n".join(lines) + dice.choice((b"\n", b""))


def become_no_file(path: Path, dice: random.Random, outside: Path) -> None:
    """Put something that is no regular file in a file's place, or something without an end."""
    if path.is_symlink() or path.exists():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def sparse() -> None:
        with open(path, "wb") as stream:
            stream.truncate(2**40)

    dice.choice(
        (
            lambda: os.mkfifo(path),
            path.mkdir,
            lambda: path.symlink_to("/dev/zero"),
            lambda: path.symlink_to(outside / "canary"),
            lambda: path.symlink_to(path.name),
            lambda: path.symlink_to("/proc/self/mem"),
            sparse,
            lambda: None,
        )
    )()


def _flipped(data: bytes, dice: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(dice.randint(1, 8)):
        if changed:
            changed[dice.randrange(len(changed))] = dice.randrange(256)
    return bytes(changed)


def _changed(tree: Any, dice: random.Random) -> Any:
    tree = copy.deepcopy(tree)
    places = list(_places(tree))
    if not places:
        return dice.choice(HOSTILE)
    holder, key = dice.choice(places)
    way = dice.random()
    if way < 0.7:
        holder[key] = _Raw(dice.choice(HUGE)) if dice.random() < 0.1 else dice.choice(HOSTILE)
    elif way < 0.85:
        del holder[key]
    elif isinstance(holder, dict):
        holder[dice.choice(("_target_", "", "hydra", "a\0", "deletes", key))] = dice.choice(HOSTILE)
    else:
        holder.append(dice.choice(HOSTILE))
    return tree


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a tree, as its holder and the key there."""
    if isinstance(tree, (dict, list)):
        for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
            yield tree, key
            yield from _places(tree[key])


class _Raw:
    """JSON that is written as it is."""

    def __init__(self, text: str) -> None:
        self.text = text


def _dumped(tree: Any, dice: random.Random) -> bytes:
    marks: dict[str, str] = {}

    def mark(raw: Any) -> str:
        name = f"raw-{dice.randrange(10**9)}"
        marks[json.dumps(name)] = raw.text
        return name

    text = json.dumps(tree, default=mark)
    for name, raw in marks.items():
        text = text.replace(name, raw)
    return text.encode("utf-8", errors="surrogatepass")
