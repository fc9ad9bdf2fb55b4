# SPDX-License-Identifier: Apache-2.0
"""Malformed inputs: every file that a stranger can write, every key of the schema.

Each ends in a refusal before anything ran (exit 2), or in outcomes with names; nothing hangs, shows a traceback, or
writes anywhere but to run folders and the store. ``python -m tests.fuzz.inputs [seed] [count]`` prints the table.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local

from fvhydra.testing.command_server import CommandServer
from tests.fuzz import files, performance, records, settings, template
from tests.fuzz.place import Place
from tests.fuzz.rows import Row, table

Trial = Callable[[random.Random, Place, Path], Counter[str]]
"""Tries one input, in a place and with a template of folders; what came of it, counted."""

CLASSES: dict[str, tuple[Trial, int]] = {
    "a record of a run folder or a sweep, with other values or bytes": (records.record, 250),
    "a FIFO, device, link, folder, endless or missing file in the place of a record": (records.no_record, 80),
    "a store's log, trees and contents, with other values or bytes": (records.store, 60),
    "the sidecar of a reference, with other values, under a right hash": (records.sidecar, 50),
    "a latent bundle as a reference: other bytes, code, sizes that lie": (files.latent, 60),
    "a prompt file (text, JSON, JSON lines, YAML), with other values or bytes": (files.prompts, 110),
    "a table of VBench or Physics-IQ, with other values or bytes": (files.suite, 40),
    "a FIFO, device, link, folder, endless or missing file as prompts, manifest, picture or clips": (files.no_file, 80),
    "a manifest of samples, with other values or bytes in its rows": (files.manifest, 90),
    "a clip, sound, picture or folder of frames, with other bytes": (files.media, 60),
    "a picture as a first frame, with other bytes": (files.picture, 30),
    "a performance record, its single runs, a benchmark or a history, with other values": (
        performance.record_or_history,
        67,
    ),
    "a YAML file of an added folder: other values, bombs, classes, Hydra's own keys": (settings.added_folder, 70),
    "the settings of a project: other values, bombs, keys that only a person sets": (settings.project, 40),
    "a key of the schema, with a value that it cannot have": (settings.key, 320),
}
"""What is tried, how, and how often of all."""


def run(seed: int, count: int, workers: int = 2) -> list[Row]:
    """Try about ``count`` inputs; the first that breaks a promise is raised, with its number.

    Args:
        seed: Of all that is drawn: the same seed tries the same inputs.
        count: Of all classes together.
        workers: Commands at a time.

    Raises:
        AssertionError: An input was not refused or named as it must.
    """
    shares = sum(share for _, share in CLASSES.values())
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as pool:
        root = Path(folder)
        own = local()
        servers: list[CommandServer] = []
        cache = root / "cache"
        first = CommandServer()
        servers.append(first)
        made = template.make(Place(root / "first" / "place", cache, first))

        def one(what: str, trial: Trial, index: int) -> Counter[str]:
            if not hasattr(own, "place"):
                server = CommandServer()
                servers.append(server)
                own.place = Place(root / f"place-{len(servers)}", cache, server)
            try:
                return trial(random.Random(f"{seed} {what} {index}"), own.place, made)
            except Exception as error:
                raise AssertionError(f"{what}, number {index} of seed {seed}: {error}") from error

        rows = []
        for what, (trial, share) in CLASSES.items():
            number = max(1, round(count * share / shares))
            outcomes: Counter[str] = Counter()
            for found in pool.map(lambda index, what=what, trial=trial: one(what, trial, index), range(number)):
                outcomes += found
            rows.append(Row(what, sum(outcomes.values()), _said(outcomes)))
        for server in servers:
            server.close()
    return rows


def _said(outcomes: Counter[str]) -> str:
    return ", ".join(f"{number} {outcome}" for outcome, number in outcomes.most_common())


def main() -> None:
    """Try as many as the command line says, and print the table."""
    seed, count = (int(word) for word in [*sys.argv[1:], "0", "1365"][:2])
    rows = run(seed, count)
    print(table([*rows, Row("all", sum(row.number for row in rows), "")]), end="")


if __name__ == "__main__":
    main()
