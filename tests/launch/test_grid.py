# SPDX-License-Identifier: Apache-2.0
"""A sweep over all parts of something tells each job how many there are."""

from __future__ import annotations

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from fvhydra.config.problems import ConfigError
from fvhydra.launch.grid import numbers_of_parts
from tests.launch.jobs import composed


@pytest.mark.parametrize(
    ("words", "added"),
    [
        (["op.shard=range(0,8)"], ["op.shards=8"]),
        (["op.shard=range(0,12)", "seed=1,2"], ["op.shards=12"]),
        (["op.shard=2,0,1"], ["op.shards=3"]),
        (["op.shard=range(0,1)"], ["op.shards=1"]),
        (["op.shard=range(0,8)", "op.shards=16"], []),
        (["op.shard=3,5"], []),
        (["op.shard=0"], []),
        (["seed=0,1"], []),
    ],
)
def test_the_number_is_added_when_all_are_swept(words: list[str], added: list[str]) -> None:
    assert numbers_of_parts(OverridesParser.create().parse_overrides(words)) == added


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["op.shard=0"], "shard=0 does not say of how many"),
        (["op.shard=4", "op.shards=4"], "shard=4 must be less than op.shards=4"),
    ],
)
def test_a_part_of_nothing_is_refused(words: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        composed("op=eval", *words)


def test_a_part_by_hand() -> None:
    assert composed("op=eval", "op.shard=3", "op.shards=8").op.shards == 8  # type: ignore[attr-defined]
