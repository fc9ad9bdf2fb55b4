# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from fvhydra.ops.eval import _of_all


def test_a_merged_evaluation_was_made_on_the_machines_of_all_its_shards() -> None:
    shards = [{"torch": "2.13.0", "host": "a"}, {"torch": "2.13.0", "host": "b", "gpu": "L40S"}]
    assert _of_all(shards) == {"torch": "2.13.0", "host": "a, b", "gpu": "L40S"}
