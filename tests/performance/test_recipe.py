# SPDX-License-Identifier: Apache-2.0
"""The spelling of recipes: values that JSON has no word for, and what is left out."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest
import torch

from fvhydra.core.errors import UsageError
from fvhydra.performance.recipe import canonical_json, recipe_document, recipe_fingerprint

IDS = {"benchmark_id": "toy", "workload_id": "toy", "variant_id": "v", "benchmark_version": 1}


class Mode(enum.Enum):
    FAST = "f"


@dataclass
class Parts:
    width: int
    kinds: tuple[str, ...]


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        ({2: "b", "10": "a"}, '{"10":"a","2":"b"}'),
        ({10, 9, 1}, "[1,10,9]"),  # by their text
        (Mode.FAST, '"FAST"'),
        (torch.bfloat16, '"bfloat16"'),
        (Path("~").expanduser() / "a", f'"{Path.home().as_posix()}/a"'),
        (PurePosixPath("a/b"), '"a/b"'),
        (Parts(3, ("x",)), '{"kinds":["x"],"width":3}'),
        ("猫", '"\\u732b"'),
    ],
    ids=str,
)
def test_every_value_has_one_spelling(value: object, spelled: str) -> None:
    assert canonical_json(value) == spelled


@pytest.mark.parametrize("key", IDS)
def test_a_recipe_needs_all_ids(key: str) -> None:
    for blank in (None, " "):
        with pytest.raises(UsageError, match=f"The benchmark has no {key};"):
            recipe_document(IDS | {key: blank})


def test_the_prompts_of_a_clip_are_hashed_and_not_listed() -> None:
    arguments = {"prompt": "x", "negative_prompt": "n", "neg_prompt": "m", "output_video_name": "v", "seed": 1}
    recipe = recipe_document(IDS | {"generation_kwargs": arguments, "revision": "abc"})
    assert recipe["generation_kwargs"] == {"seed": 1} and recipe["model"]["revision"] == "abc"
    other = recipe_document(IDS | {"generation_kwargs": arguments | {"negative_prompt": "o"}, "revision": "abc"})
    assert recipe_fingerprint(recipe) != recipe_fingerprint(other)
