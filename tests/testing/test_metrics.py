# SPDX-License-Identifier: Apache-2.0
"""The contract of metrics sees each promise that a metric breaks."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from tests.testing import broken_metrics

CHUNKS = "the_same_sample_has_the_same_value_in_chunks_of_any_length"
EMPTY = "a_clip_without_frames_has_no_value"
THREADS = "samples_side_by_side_in_threads_keep_their_values"
BROKEN = {
    "Good": set(),
    "Chunky": {CHUNKS},
    "Remembers": {
        CHUNKS,
        "nothing_of_a_sample_stays_for_the_next",
        "samples_side_by_side_in_threads_keep_their_values",
    },
    "Zero": {EMPTY, "without_an_input_there_is_a_reason_and_no_value"},
    "Undeclared": {"its_description_says_what_it_must", "what_it_gives_is_what_it_describes"},
    "Constant": {"another_sample_has_another_value"},
    "Order": {"states_merge_in_any_order_and_survive_a_file", "no_samples_have_no_value"},
}


def test_each_broken_promise_is_seen(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--tb=no", "-rfE", "-p", "no:cacheprovider", "-p", "no:xdist",
         f"--basetemp={tmp_path / 'base'}", broken_metrics.__file__],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    failed: dict[str, set[str]] = {found.__name__: set() for found in broken_metrics.METRICS}
    for name, test in re.findall(r"^(?:FAILED|ERROR) \S+::Test(\w+)::test_(\w+)", done.stdout, re.MULTILINE):
        failed[name].add(test)
    assert failed.pop("Writes") >= {CHUNKS, "another_sample_has_another_value"}, done.stdout
    for name, expected in BROKEN.items():
        assert failed[name] >= expected and (expected or not failed[name]), (name, failed[name], done.stdout)
