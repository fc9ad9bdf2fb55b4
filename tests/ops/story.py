# SPDX-License-Identifier: Apache-2.0
"""Jobs of the tests: a story of small clips, an engine that misbehaves on request, and what its runs left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from fvhydra.core.files import sha256_file

STORY: dict[str, Any] = {
    "name": "story",
    "fps": 8,
    "init_image": "generated",
    "clips": [
        {"prompt": "one"},
        {"prompt": "two"},
        {"prompt": "three", "num_frames": 17},
    ],
}

TOY = """
import ctypes, os, resource, signal, time
from pathlib import Path
import numpy as np
from fvhydra.engines.mock import MockEngine

class Toy(MockEngine):
    def generate(self, case, progress):
        if self.config.options.get("how") != "fill":  # the limit that stands for a full disk is the driver's then
            resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
        print("at", case.prompt, flush=True)
        with open(Path(__file__).parent / "diary", "a") as diary:
            diary.write(case.prompt + "\\n")
        progress.step(1, 4)
        if case.prompt == self.config.options.get("where", "two"):
            HOW[self.config.options.get("how", "work")](progress)
        media = super().generate(case, progress)
        if self.config.options.get("sound"):
            count = round(len(media.frames) / media.fps * 16000)
            tone = 200 * (1 + ["one", "two", "three"].index(case.prompt))
            media.audio = np.tile(0.5 * np.sin(2 * np.pi * tone * np.arange(count) / 16000), (2, 1)).astype(np.float32)
            media.audio_rate = 16000
        return media

def eat(progress):
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, -1))
    hoard = []
    while True:
        hoard.append(bytearray(2**24))

def fill(progress):
    with open(Path(__file__).parent / "filler", "wb") as filler:
        while True:
            filler.write(bytes(2**20))

def deaf(progress):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)

def once(progress):
    mark = Path(__file__).parent / "killed"
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)

def wait(progress):
    while True:
        progress.step(1, 4)
        time.sleep(0.05)

HOW = {
    "wait": wait,
    "once": once,
    "work": lambda progress: None,
    "sleep": lambda progress: time.sleep(600),
    "deaf": deaf,
    "hold": lambda progress: ctypes.PyDLL(None).sleep(600),  # native code that never lets go of Python's lock
    "spin": lambda progress: [None for _ in iter(int, 1)],
    "kill": lambda progress: os.kill(os.getpid(), signal.SIGKILL),
    "eat": eat,
    "fill": fill,
}
"""

WORDS = ("op=run_job", "job_file=story.yaml", "engine=mock", "model=wan22_ti2v_5b")
TOYS = (*WORDS, "engine._target_=toy.Toy")


def write_story(folder: Path, **changes: Any) -> Path:
    """The story's file, with other values of some keys, and the engine beside it."""
    (folder / "toy.py").write_text(TOY)
    path = folder / "story.yaml"
    path.write_text(yaml.safe_dump(STORY | changes))
    return path


def runs_of(folder: Path, name: str = "story") -> list[Path]:
    """Run folders of a job, the oldest first."""
    return sorted((folder / "outputs" / "run_job" / name).iterdir())


def record(run: Path, index: int) -> dict[str, Any]:
    """The record of a clip."""
    found: dict[str, Any] = json.loads((run / "logs" / f"log_{index:03}.json").read_text())
    return found


def digests(run: Path) -> dict[str, str]:
    """What must be equal whenever the job is: clips, pictures, the whole."""
    paths = [run / "final_stitched.mp4", *(run / "clips").iterdir(), *(run / "frames").iterdir()]
    return {path.relative_to(run).as_posix(): sha256_file(path) for path in paths}


def made(folder: Path) -> list[str]:
    """Prompts of the clips that the engine was asked for, in order."""
    path = folder / "diary"
    return path.read_text().split() if path.exists() else []
