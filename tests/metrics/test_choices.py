# SPDX-License-Identifier: Apache-2.0
"""Which metrics there are, with those of folders that a command line adds."""

from __future__ import annotations

from pathlib import Path

import pytest

from fvhydra.core.errors import UsageError
from fvhydra.metrics.catalogue import CLASSES
from fvhydra.metrics.choices import Offer, offered, offers
from fvhydra.metrics.planned import PLANNED
from tests.evaluation import toys

TARGET = f"{toys.__name__}.Toy"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two words of one's own, the first of which chooses more."""
    (tmp_path / "metrics").mkdir()
    files = {
        "all": f"use: {{toy: {{brightness: {{_target_: {TARGET}}}}}, common: {{ssim: {{}}, psnr: {{}}}}}}",
        "mine": f"use: {{toy: {{brightness: {{_target_: {TARGET}, scale: 2}}}}}}",
    }
    for name, text in files.items():
        (tmp_path / "metrics" / f"{name}.yaml").write_text(f"# Ours\n{text}\n")
    return tmp_path


def test_without_a_folder_they_are_ours_each_with_the_word_that_chooses_the_fewest() -> None:
    found = offers([], {})
    assert list(found) == sorted([*CLASSES, *PLANNED])
    assert found["common.ssim"] == Offer("common.ssim", "pixel")
    assert {name for name, offer in found.items() if not offer.word} == set(PLANNED)


def test_a_folder_adds_its_own_and_takes_none_away(folder: Path) -> None:
    found = offers([folder], {})
    assert found["toy.brightness"] == Offer("toy.brightness", "mine", TARGET, folder)
    assert found["toy.brightness"].spec().title == "The toy brightness"
    assert {name: offer for name, offer in found.items() if name != "toy.brightness"} == offers([], {})


def test_one_that_was_asked_for_by_its_class_is_there_too(folder: Path) -> None:
    use = {"toy": {"brightness": {"_target_": TARGET}}}
    assert offers([], use)["toy.brightness"] == Offer("toy.brightness", "", TARGET)
    assert offers([folder], use)["toy.brightness"].word == "mine"


def test_another_name_is_compared_with_all(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"There is no metric toy\.brightnes\. Did you mean 'toy\.brightness'\?"):
        offered("toy.brightnes", offers([folder], {}))


@pytest.mark.parametrize("text", ["use: [a]", "use: {a: 3}", "use: {a: {b: yes}}", "- a"])
def test_a_file_that_names_no_metrics_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "odd.yaml").write_text(text)
    with pytest.raises(UsageError, match=r"odd\.yaml"):
        offers([tmp_path], {})
