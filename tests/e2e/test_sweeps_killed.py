# SPDX-License-Identifier: Apache-2.0
"""A sweep that is killed at any moment goes on as if nothing had happened."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import run_cli
from tests.launch.commands import DIARIST, POOL, diary, started

MOMENTS = 30
WORDS = (*POOL, "sweep=night", "seed=0,1,2,3", "+engine.options.seconds=0.2")


def _summary(folder: Path) -> dict[str, Any]:
    """What a sweep found out: everything but times and places."""
    sweep = folder / "multirun" / "generate" / "night"
    results = [json.loads((sweep / str(number) / "result.json").read_text()) for number in range(4)]
    manifests = [json.loads((sweep / str(number) / "manifest.json").read_text()) for number in range(4)]
    for result in results:
        for case in result["cases"]:
            del case["seconds"]
    return {
        "results": results,
        "artifacts": [[item["sha256"] for item in manifest["artifacts"]] for manifest in manifests],
        "markdown": (sweep / "report" / "summary.md").read_text(),
        "jobs": sorted(path.name for path in sweep.glob("[0-9]*")),
    }


def _table(out: str) -> list[str]:
    return [line.replace(" (reused)", "") for line in map(" ".join, map(str.split, out.splitlines()))]


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on(tmp_path: Path, cache_dir: Path) -> None:
    folders = [tmp_path / str(number) for number in range(MOMENTS + 1)]
    for folder in folders:
        folder.mkdir()
        (folder / "diarist.py").write_text(DIARIST)
    begun = time.monotonic()
    undisturbed = run_cli(folders[0], cache_dir, *WORDS)
    whole_s = time.monotonic() - begun
    assert undisturbed.code == 0, undisturbed.text
    expected, table = _summary(folders[0]), _table(undisturbed.out)
    chance = random.Random(11)
    unfinished = 0
    for folder in folders[1:]:
        with started(folder, cache_dir, *WORDS) as process:
            time.sleep(chance.uniform(0.3, whole_s))
            process.kill()
        unfinished += len({entry["seed"] for entry in diary(folder) if entry["what"] == "end"}) < 4
        resumed = run_cli(folder, cache_dir, *WORDS)
        assert resumed.code == 0, resumed.text
        assert _summary(folder) == expected
        assert _table(resumed.out) == table
        ends = Counter(entry["seed"] for entry in diary(folder) if entry["what"] == "end")
        assert set(ends) == {0, 1, 2, 3} and max(ends.values()) <= 2, ends
    assert unfinished >= MOMENTS // 3, "most moments must fall into the sweep"
