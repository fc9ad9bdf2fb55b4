# SPDX-License-Identifier: Apache-2.0
"""Records that commands leave behind, as a stranger may have changed them."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fvhydra.config.store import LocalStoreConfig
from fvhydra.stores.local import LocalStore
from tests.fuzz.mutations import become_no_file, bytes_mutated, json_mutated, lines_mutated
from tests.fuzz.place import Place
from tests.fuzz.template import MODEL, SWEEP

Mutate = Callable[[bytes, random.Random], bytes]

_AGAIN = ("op=generate", *MODEL, "prompt=a cat", "run=made")
_SCORE = ("op=eval", "run=made", "metrics=[temporal,pixel]")
_PUBLISH = ("op=publish", "run=prepared", "op.confirm=upload")
_RESTORE = ("op=restore", *MODEL, "prompt=a cat", "run=published")
_COMPARE = ("op=eval_compare", "runs=[scored,scored]")
_RESUME = (*_SCORE, "op.resume_from=scored")


@dataclass(frozen=True)
class Record:
    """A file of the template, how it is changed, and the commands that read it."""

    path: str
    mutate: Mutate
    commands: tuple[tuple[str, ...], ...]


RECORDS = [
    Record("made/manifest.json", json_mutated, (_SCORE, _AGAIN, ("op=eval", "videos=made", "metrics=temporal"))),
    Record("made/result.json", json_mutated, (_SCORE, _AGAIN)),
    Record("made/status/status.json", json_mutated, (_AGAIN,)),
    Record("made/cases.jsonl", lines_mutated, (_AGAIN,)),
    Record("prepared/change.json", json_mutated, (_PUBLISH,)),
    Record("prepared/manifest.json", json_mutated, (_PUBLISH,)),
    Record("prepared/result.json", json_mutated, (_PUBLISH,)),
    Record("published/change.json", json_mutated, (_RESTORE, ("op=publish", "run=published"))),
    Record("published/manifest.json", json_mutated, (_RESTORE,)),
    Record("scored/summary.json", json_mutated, (_COMPARE, _RESUME)),
    Record("scored/scores.jsonl", lines_mutated, (_COMPARE, _RESUME)),
    Record("scored/frames/*.npz", bytes_mutated, (_RESUME,)),
    Record("night/0/job.json", json_mutated, (SWEEP, ("op=attach", "run=night"))),
    Record("night/0/result.json", json_mutated, (SWEEP,)),
    Record("night/0/manifest.json", json_mutated, (SWEEP,)),
    Record("night/0/status/status.json", json_mutated, (SWEEP,)),
]


def record(dice: random.Random, place: Place, template: Path) -> Counter[str]:
    """One record, with other values or bytes."""
    chosen, path, words = _drawn(dice, place, template)
    path.write_bytes(chosen.mutate(path.read_bytes(), dice))
    return Counter([place.tried(words, theirs=[chosen.path.split("/")[0]])])


def no_record(dice: random.Random, place: Place, template: Path) -> Counter[str]:
    """Something that is no regular file in a record's place."""
    chosen, path, words = _drawn(dice, place, template)
    become_no_file(path, dice, place.outside)
    return Counter([place.tried(words, theirs=[chosen.path.split("/")[0]])])


def _drawn(dice: random.Random, place: Place, template: Path) -> tuple[Record, Path, tuple[str, ...]]:
    place.make(template)
    chosen = dice.choice([record for record in RECORDS if list(place.work.glob(record.path))])
    [path, *_] = sorted(place.work.glob(chosen.path))
    return chosen, path, dice.choice(chosen.commands)


def store(dice: random.Random, place: Place, template: Path) -> Counter[str]:
    """One file of a store."""
    place.make(template)
    files = sorted(path for path in (place.work / "store").rglob("*") if path.is_file())
    path = dice.choice(files)
    data = path.read_bytes()
    try:
        json.loads(data)
        changed = json_mutated(data, dice)
    except ValueError:
        changed = bytes_mutated(data, dice)
    path.chmod(0o644)
    path.write_bytes(changed)
    words = dice.choice((("op=log",), ("op=check_ssim", *MODEL, "prompt=a cat"), ("op=verify",), _RESTORE))
    return Counter([place.tried(words, theirs=["store"])])


def sidecar(dice: random.Random, place: Place, template: Path) -> Counter[str]:
    """What a reference says about itself."""
    place.make(template)
    local = LocalStore(LocalStoreConfig(_target_="", name="local", path=str(place.work / "store")))
    [path] = [path for path in local.files() if path.endswith(".json")]
    [current] = (place.work / "store" / "current").rglob("*.json")
    local.commit({path: json_mutated(current.read_bytes(), dice)}, message="by hand")
    words = dice.choice(
        (("op=check_ssim", *MODEL, "prompt=a cat"), ("op=check_ssim", *MODEL, "prompt=a cat", "dry_run=true"))
    )
    return Counter([place.tried(words)])
