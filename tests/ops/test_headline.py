# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from fvhydra.core.artifacts import LatentComparison, LatentThresholds, PixelComparison
from fvhydra.core.result import CaseResult
from fvhydra.core.verdict import Verdict
from fvhydra.ops.headline import headline
from tests.conftest import Cli
from tests.report.run_folders import pixel_case

# each case is worse than the one before it
WORSE = """
import dataclasses
from fvhydra.engines.mock import MockEngine

class Worse(MockEngine):
    def generate(self, case, progress):
        by = case.tier.perturb_weights * (case.index + 1)
        tier = dataclasses.replace(case.tier, perturb_weights=by)
        return super().generate(dataclasses.replace(case, tier=tier), progress)
"""


def _case(index: int, values: list[float], verdict: Verdict = Verdict.REGRESSION) -> CaseResult:
    return pixel_case(index, verdict, "A cat.", values, message=f"mean of case {index}")


def test_the_worst_value_of_each_number_with_its_case() -> None:
    cases = [_case(3, [0.92, 0.9]), _case(4, [0.7, 0.9]), _case(7, [0.9, 0.78]), _case(8, [1, 1], Verdict.PASS)]
    assert headline(cases) == (
        "3 of 4 case(s): at worst, mean MS-SSIM is 0.8 in case 4, allowed ≥ 0.93; "
        "worst frame's MS-SSIM is 0.7 in case 4, allowed ≥ 0.8."
    )
    assert headline(cases[:1]) == "1 of 1 case(s): mean MS-SSIM is 0.91 in case 3, allowed ≥ 0.93."
    assert headline(cases[3:]) == "1 case(s) within tolerance."


def test_a_large_distance_is_worse_than_a_small_one() -> None:
    distances = {1: 0.02, 2: 0.5, 3: 0.03}
    cases = [
        replace(
            _case(index, [1.0]),
            comparison=LatentComparison(full_cosine_distance=value, thresholds=LatentThresholds(0.01, 0.01)),
        )
        for index, value in distances.items()
    ]
    assert headline(cases) == "3 of 3 case(s): at worst, full cosine distance is 0.5 in case 2, allowed ≤ 0.01."


def test_clips_that_cannot_be_compared_hide_no_number_and_a_worse_verdict_hides_no_regression() -> None:
    apart = _case(0, [1.0])
    assert isinstance(apart.comparison, PixelComparison)
    apart.comparison = replace(apart.comparison, mean_ssim=None, min_ssim=None, difference="The sizes differ.")
    broken = [replace(_case(index, [1.0], Verdict.INFRASTRUCTURE), comparison=None) for index in (5, 6)]
    assert headline([apart, _case(2, [0.9]), *broken]) == (
        "2 of 4 case(s): mean of case 5 That is case 5; 2 messages differ. "
        "2 of 4 case(s): at worst, mean MS-SSIM is 0.9 in case 2, allowed ≥ 0.93. "
        "1 of them cannot be compared: mean of case 0"
    )
    assert headline([apart]) == "1 of 1 case(s): mean of case 0"


def test_everything_that_a_check_leaves_names_the_worst_case(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "worse.py").write_text(WORSE)
    words = ("engine=mock", "engine._target_=worse.Worse", "model=wan21_t2v_1_3b")
    assert cli("op=seed_ssim", *words, "op.confirm=upload", PYTHONPATH=".").code == 0
    checked = cli("op=check_ssim", *words, "tier.perturb_weights=0.3", PYTHONPATH=".")
    assert checked.code == 1, checked.text
    run = tmp_path / "outputs" / "latest"
    result = json.loads((run / "result.json").read_text())
    found = [case["comparison"]["mean_ssim"] for case in result["cases"]]
    assert len(found) > 1 and 0.93 > found[0] > found[-1]
    says = f"mean MS-SSIM is {found[-1]:.6g} in case {len(found) - 1}"
    assert says in result["message"]
    assert says in checked.out
    assert says in (run / "report" / "summary.md").read_text()
    assert says in (run / "report" / "index.html").read_text()
    suite = ElementTree.parse(run / "report" / "junit.xml").find("testsuite")
    assert suite is not None and says in (suite.findtext("system-out") or "")
