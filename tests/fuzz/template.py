# SPDX-License-Identifier: Apache-2.0
"""Folders as commands leave them, for strangers to change: made once, copied for every input."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.place import Place

MODEL = ("engine=mock", "model=wan22_ti2v_5b", "seed=1")

COMMANDS: dict[str, tuple[str, ...]] = {
    "made": ("op=generate", *MODEL, "prompt=a cat"),
    "published": ("op=seed_ssim", *MODEL, "prompt=a cat", "op.confirm=upload"),
    "prepared": ("op=seed_ssim", *MODEL, "prompt=a dog"),
    "checked": ("op=check_ssim", *MODEL, "prompt=a cat"),
    "scored": ("op=eval", "run=made", "metrics=[temporal,pixel]"),
    "compared": ("op=eval_compare", "runs=[scored,scored]"),
}
"""Name of the folder that is left in the template to the command."""

SWEEP = ("-m", "op=generate", *MODEL, "prompt=a cat", "sweep=./night")


def make(place: Place) -> Path:
    """Run the commands, and return the folder that they ran in."""
    place.make()
    for name, words in COMMANDS.items():
        done = place.run(words)
        assert done.code == 0, done.text
        (place.work / "outputs" / "latest").resolve().rename(place.work / name)
    done = place.run(SWEEP)
    assert done.code == 0, done.text
    (place.work / "outputs" / "latest").unlink()
    for folder in sorted((place.work / "outputs").rglob("*"), reverse=True):
        folder.rmdir()
    (place.work / "outputs").rmdir()
    return place.work.rename(place.root.parent / "template")
