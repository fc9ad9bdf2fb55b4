# SPDX-License-Identifier: Apache-2.0
"""Names, recipes, profiles, decisions and baselines as the ecosystem's own code has them (recorded from it)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fvhydra.performance.gate import delta, policies
from fvhydra.performance.history import History, medians
from fvhydra.performance.names import sanitized
from fvhydra.performance.profiles import (
    hardware_profile,
    hardware_profile_id,
    software_profile,
    software_profile_id,
)
from fvhydra.performance.recipe import canonical_json, recipe_document, recipe_fingerprint
from fvhydra.performance.record import Identity, Pair, checked_record

GOLDEN = json.loads((Path(__file__).parent / "golden" / "perf_records.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("text", "expected"), GOLDEN["sanitize"])
def test_names(text: str, expected: str) -> None:
    assert sanitized(text) == expected


@pytest.mark.parametrize("case", GOLDEN["identity"], ids=range(len(GOLDEN["identity"])))
def test_recipes(case: dict[str, Any]) -> None:
    recipe = recipe_document(case["config"], **case["arguments"])
    assert recipe == case["recipe"]
    assert canonical_json(recipe) == case["canonical"]
    assert recipe_fingerprint(recipe) == case["fingerprint"]


@pytest.mark.parametrize("case", GOLDEN["hardware"], ids=range(len(GOLDEN["hardware"])))
def test_hardware_profiles(case: dict[str, Any]) -> None:
    given = dict(case["arguments"])
    profile = hardware_profile(given.pop("gpu_devices"), **given)
    assert (profile, hardware_profile_id(profile)) == (case["profile"], case["id"])


@pytest.mark.parametrize("case", GOLDEN["software"], ids=range(len(GOLDEN["software"])))
def test_software_profiles(case: dict[str, Any]) -> None:
    given = case["arguments"]
    profile = software_profile(
        python=given["python_version"],
        pytorch=given["torch_version"],
        cuda=given["cuda_version"],
        packages=given["package_versions"],
    )
    assert (profile, software_profile_id(profile)) == (case["profile"], case["id"])


@pytest.mark.parametrize("case", GOLDEN["gate"], ids=range(len(GOLDEN["gate"])))
def test_decisions(case: dict[str, Any]) -> None:
    policy = policies(case["overrides"])[case["metric"]]
    lower_is_better = not policy.metric.higher_is_better
    assert [policy.threshold_percent, policy.threshold_absolute, lower_is_better, policy.gated] == case["policy"]
    found = delta(policy, case["current"], case["baseline"])
    assert (found and [found.absolute, found.share, found.exceeded, found.regressed]) == case["delta"]


@pytest.mark.parametrize("case", GOLDEN["histories"], ids=range(len(GOLDEN["histories"])))
def test_baselines_of_mixed_histories(case: dict[str, Any]) -> None:
    history = History.of_records(checked_record(fields, path) for path, fields in case["records"])
    pair = history.baseline(Pair(*case["pair"]["target"]))
    assert [record.commit_sha[:8] for record in pair.records] == case["pair"]["chosen"]
    assert _of(pair.medians) == case["pair"]["medians"]
    identity = Identity(**case["identity"]["target"])
    chosen = history.baseline(identity).records
    assert [record.commit_sha[:8] for record in chosen] == case["identity"]["chosen"]
    assert _of(medians(chosen)) == case["identity"]["medians"]
    others = history.trusted_with_another_recipe(identity)
    assert [record.commit_sha[:8] for record in others] == case["identity"]["trusted_other_recipe"]


def _of(found: dict[str, float | None]) -> dict[str, float | None]:
    return {name: found[name] for name in ("latency", "throughput", "memory")}
