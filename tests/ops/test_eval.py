# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image

from fvhydra.core.scores import read_rows
from fvhydra.ops.eval import _of_all
from tests.conftest import Cli


def test_a_merged_evaluation_was_made_on_the_machines_of_all_its_shards() -> None:
    shards = [{"torch": "2.13.0", "host": "a"}, {"torch": "2.13.0", "host": "b", "gpu": "L40S"}]
    assert _of_all(shards) == {"torch": "2.13.0", "host": "a, b", "gpu": "L40S"}


def test_folders_of_frames_are_clips_at_the_rate_that_is_given(command: Cli, tmp_path: Path) -> None:
    for name in ("gen/cat", "ref/cat"):
        (tmp_path / name).mkdir(parents=True)
        for index in range(4):
            Image.fromarray(np.full((32, 48, 3), 60 * index, np.uint8)).save(tmp_path / name / f"{index}.png")
    refused = command("op=eval", "videos=gen", "metrics=temporal")
    assert (refused.code, "op.fps=24" in refused.text) == (2, True)
    done = command("op=eval", "videos=gen", "references=ref", "op.fps=24", "metrics=[pixel,temporal]")
    assert done.code == 0, done.text
    run = (tmp_path / "outputs" / "latest").resolve()
    rows = {row.metric: row for row in read_rows(run / "scores.jsonl")}
    assert (rows["common.ssim"].value, rows["common.ssim"].fps) == (1, 24)
    assert len(list((run / "report" / "clips").iterdir())) == 2
    os.mkfifo(tmp_path / "fifo.mp4")
    waited = command("op=eval", "videos=fifo.mp4", "metrics=temporal")
    assert (waited.code, "is a FIFO" in waited.text) == (5, True)
