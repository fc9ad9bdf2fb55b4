# SPDX-License-Identifier: Apache-2.0
"""``op=smoke``: what was loaded is held to what its weights declare, and what is not looked at is no pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fvhydra.core.checks import NOT_RUN, PASS, Check
from fvhydra.core.verdict import Verdict
from fvhydra.engines.base import GeneratedMedia
from fvhydra.ops.smoke import contract, verdict_of
from fvhydra.testing import cases
from tests.conftest import Cli
from tests.ops.folders import latest_of

MODEL = "wan21_t2v_1_3b"


def test_a_whole_model_passes_and_one_that_is_not_looked_at_does_not(cli: Cli, tmp_path: Path) -> None:
    passed = cli("op=smoke", f"model={MODEL}")
    assert passed.code == 0, passed.text
    found = {each["name"]: each["passed"] for each in latest_of(tmp_path)["cases"][0]["criteria"]}
    assert {"pipeline class", "required modules", "weights of transformer", "unknown arguments", "size"} <= found.keys()
    assert all(found.values())
    open_question = cli("op=smoke", f"model={MODEL}", "engine=mock")
    assert open_question.code == 5, open_question.text
    assert "not run: what was loaded" in open_question.text


def test_sizes_and_rates_are_those_that_were_asked_for() -> None:
    case = cases.case(MODEL)
    size = (case.sampling.num_frames, case.sampling.height, case.sampling.width, 3)
    frames = np.zeros([number or 1 for number in size], np.uint8)
    sound = np.zeros((2, 4000), np.float32)

    def found(**parts: object) -> dict[str, str]:
        media = GeneratedMedia(**{"frames": frames, "fps": float(case.sampling.fps)} | parts)  # type: ignore[arg-type]
        return {each.name: each.outcome for each in contract(case, media)}

    assert found() == {"frames": PASS, "size": PASS, "rate": PASS}
    assert found(frames=frames[1:])["frames"] == "fail"
    assert found(frames=frames[:, 1:])["size"] == "fail"
    assert found(fps=1.0)["rate"] == "fail"
    assert found(frames=None) == {"frames": "fail"}
    long_s = len(frames) / case.sampling.fps
    assert found(audio=sound, audio_rate=round(4000 / long_s))["sound"] == PASS
    assert found(audio=sound, audio_rate=8000 * 9)["sound"] == "fail"
    assert found(audio=sound)["sound"] == "fail"


def test_what_was_not_run_is_no_pass() -> None:
    assert verdict_of([Check("a", PASS, "")]) is Verdict.PASS
    assert verdict_of([Check("a", PASS, ""), Check("b", NOT_RUN, "")]) is Verdict.INCONCLUSIVE
    assert verdict_of([Check("a", "fail", ""), Check("b", NOT_RUN, "")]) is Verdict.REGRESSION
