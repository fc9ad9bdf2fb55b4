# SPDX-License-Identifier: Apache-2.0
"""Names of references: what other tools rely on, and what nobody may be able to provoke."""

from __future__ import annotations

import itertools
import random
import unicodedata
from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest

from fvhydra.config.backend import BackendConfig
from fvhydra.config.gpu import GpuConfig
from fvhydra.config.model import LatentSpec, ModelConfig
from fvhydra.config.sampling import Sampling
from fvhydra.config.tier import TierConfig
from fvhydra.core.case import Case
from fvhydra.core.errors import UsageError
from fvhydra.stores.layout import (
    find_reference,
    free_path,
    prompt_stem,
    reference_folder,
    reference_path,
    search_folders,
    sidecar_path,
)

FOLDER = "reference_videos/default/L40S_reference_videos/Wan2.1-T2V-1.3B-Diffusers/FLASH_ATTN"
LEGACY = "L40S_reference_videos/Wan2.1-T2V-1.3B-Diffusers/FLASH_ATTN"
LONG = (
    "Will Smith casually eats noodles, his relaxed demeanor contrasting with the energetic background of a bustling "
    "street food market."
)


def case(
    prompt: str,
    seed: int = 1024,
    *,
    shares_stem: bool = False,
    tier: str = "default",
    artifact: str = "pixel",
) -> Case:
    model = ModelConfig(
        name="wan",
        model_id="Wan2.1-T2V-1.3B-Diffusers",
        family="wan",
        workload="t2v",
        artifact=artifact,
        weights="w",
        pipeline="WanPipeline",
        latent=LatentSpec(slice_kind="corner_3x3_first_frame"),
    )
    return Case(
        index=0,
        prompt=prompt,
        seed=seed,
        model=model,
        sampling=Sampling(seed=1024, num_inference_steps=4),
        engine="mock",
        backend=BackendConfig(name="flash_attn", folder="FLASH_ATTN"),
        tier=TierConfig(name=tier, weights="hub"),
        gpu=GpuConfig(name="l40s", folder="L40S", pattern=".*", count=1),
        shares_stem=shares_stem,
    )


def no_sidecars(path: str) -> str | None:
    return None


def stem(path: str) -> str:
    return PurePosixPath(path).name.removesuffix(".mp4")


def test_the_layout_of_the_data_set() -> None:
    assert reference_path(case("A cat.")) == f"{FOLDER}/A cat..mp4"
    assert reference_path(case(LONG)) == f"{FOLDER}/{LONG[:100].strip()}.mp4"
    assert reference_path(case("A cat", artifact="latent")) == f"{FOLDER}/A cat.pt"
    assert sidecar_path(f"{FOLDER}/A cat.mp4") == f"{FOLDER}/A cat.mp4.json"
    assert reference_folder(case("A cat")) == FOLDER
    assert reference_folder(case("A cat"), drafts=True) == FOLDER.replace("reference_videos", "drafts", 1)
    assert search_folders(case("A cat")) == [FOLDER, LEGACY]
    assert search_folders(case("A cat", tier="full_quality")) == [FOLDER.replace("default", "full_quality")]


@pytest.mark.parametrize("model_id", ["a/b", "..", "", "a\\b"])
def test_a_model_id_that_is_no_folder_is_refused(model_id: str) -> None:
    asked = case("A cat")
    asked.model.model_id = model_id  # the configuration refuses it already
    with pytest.raises(UsageError):
        reference_path(asked)


@pytest.mark.parametrize(
    "prompt",
    [
        "A cat, sitting = happy (1.2)",
        'He said: "Go?" <now> | *never*',
        "ein Kätzchen",
        "猫が座っている",
        "🐈‍⬛ 👩🏽‍🚀",
        "قطة تجلس",
        "in two __ parts",
        "  spaces around  ",
        "x" * 99 + " cut at a space",
        "a dot at the end ...",
    ],
)
def test_an_ordinary_prompt_is_its_own_name(prompt: str) -> None:
    assert stem(reference_path(case(prompt))) == prompt[:100].strip()


@pytest.mark.parametrize(
    ("prompt", "readable"),
    [
        ("day/night", "day_night"),
        ("back\\slash", "back_slash"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("..", "prompt"),
        (". . hidden", "hidden"),
        ("two\nlines", "two_lines"),
        ("a\0nul", "a_nul"),
        ("half a \ud83d character", "half a _ character"),
        ("line\u2028separator", "line_separator"),
        (" " * 100 + "far away", "prompt"),
        ("A cat__0123abcd", "A cat__0123abcd"),
        ("猫" * 100, "猫" * 74),
    ],
)
def test_a_prompt_that_is_no_file_name_gets_one(prompt: str, readable: str) -> None:
    name = stem(reference_path(case(prompt)))
    assert name[:-10] == readable
    assert name[-10:-8] == "__" and int(name[-8:], 16) >= 0


def test_the_hash_is_of_the_prompt_and_of_a_seed_that_is_not_the_models_own() -> None:
    # these names are in people's data sets: a change of the rule loses their references
    assert stem(reference_path(case("day/night"))) == "day_night__992cbbfb"
    assert stem(reference_path(case("A cat", 7))) == "A cat__19e33f25"
    assert stem(reference_path(case(LONG, shares_stem=True))) == f"{LONG[:100].strip()}__b1eba298"


def _nasty_prompts(count: int) -> Iterator[str]:
    """Seeded random texts out of all that ever broke a file name, at lengths around every limit."""
    dice = random.Random(20)
    pieces = ["a", "Z", "é", "猫", "🐈", "\u202e", "\u0627", ".", "..", "/", "\\", "\0", "\n", " ", "__", "_", "-", "~"]
    pieces += ["\u200d", "\u2029", "\x7f", "\x85", "\udc80", "con", "0123abcd", ".json", ".mp4", "%2f", "*", "[", "'"]
    for _ in range(count):
        length = dice.choice([1, 2, 3, 8, 73, 74, 75, 99, 100, 101, 150])
        yield "".join(dice.choice(pieces) for _ in range(length))


def test_no_prompt_escapes_collides_or_grows_too_long() -> None:
    prompts = sorted(set(_nasty_prompts(3000)))
    seen: dict[str, tuple[str, int]] = {}
    stems: set[str] = set()
    for prompt, seed in itertools.product(prompts, (1024, 7)):
        shares_stem = seed == 1024 and prompt_stem(prompt) in stems
        stems.add(prompt_stem(prompt))
        path = reference_path(case(prompt, seed, shares_stem=shares_stem))
        folder, _, name = path.rpartition("/")
        assert folder == FOLDER
        assert not name.startswith(".")
        assert not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in name)
        longest = f"steps50_{name.removesuffix('.mp4')}_latent.json"
        assert len(longest.encode()) <= 255 and len(sidecar_path(name).encode()) <= 255
        assert path == reference_path(case(prompt, seed, shares_stem=shares_stem))
        assert path not in seen, (seen[path], (prompt, seed))
        seen[path] = (prompt, seed)


def test_no_prompt_takes_the_hashed_name_of_another() -> None:
    victim = reference_path(case("day/night"))
    assert reference_path(case(stem(victim))) != victim


def test_its_own_reference_is_found_first() -> None:
    own = f"{FOLDER}/A cat.mp4"
    paths = [f"{FOLDER}/A cat.avi", f"{FOLDER}/A cat", f"{FOLDER}/A cat.mp4.json", own, f"{LEGACY}/A cat.mp4"]
    assert find_reference(paths, case("A cat"), no_sidecars) == own
    assert find_reference([], case("A cat"), no_sidecars) is None
    for prompt, seed in (("day/night", 1024), ("A cat", 7), ("A cat__0123abcd", 1024)):
        own = reference_path(case(prompt, seed))
        assert find_reference([own, f"{FOLDER}/A cat.mp4"], case(prompt, seed), {own: prompt}.get) == own


def test_another_seed_is_found_by_its_prompt() -> None:
    """So that a check with another seed says which key of the recipe differs."""
    default = reference_path(case("A cat"))
    assert find_reference([default], case("A cat", 7), {default: "A cat"}.get) == default
    hashed = reference_path(case("day/night"))
    assert find_reference([hashed], case("day/night", 7), {hashed: "day/night"}.get) == hashed
    assert find_reference([hashed], case("day night", 7), {hashed: "day/night"}.get) is None


def test_todays_data_sets_read_unchanged() -> None:
    start = LONG[:100].strip()
    for name in (f"{start}.mp4", f"steps4_{start}.mp4", f"{start}.avi", f"2025 {start} (1).webm"):
        for folder in (FOLDER, LEGACY):
            assert find_reference([f"{folder}/{name}"], case(LONG), no_sidecars) == f"{folder}/{name}"
    for elsewhere in (f"{FOLDER}/more/{start}.mp4", f"{LEGACY.replace('L40S', 'H100')}/{start}.mp4", f"{start}.mp4"):
        assert find_reference([elsewhere], case(LONG), no_sidecars) is None
    assert find_reference([f"{LEGACY}/{start}.mp4"], case(LONG, tier="full_quality"), no_sidecars) is None
    for wrong_kind in (f"{FOLDER}/{start}.pt", f"{FOLDER}/{start}.json", f"{FOLDER}/{start}.png", f"{FOLDER}/{start}"):
        assert find_reference([wrong_kind], case(LONG), no_sidecars) is None
    latent = f"{FOLDER}/x {start}.pt"
    assert find_reference([f"{FOLDER}/{start}.mp4", latent], case(LONG, artifact="latent"), no_sidecars) == latent


def test_the_best_of_several_is_chosen() -> None:
    ranked = [
        f"{FOLDER}/cat.mp4",
        f"{FOLDER}/cat.webm",
        f"{FOLDER}/a cat.mp4",
        f"{FOLDER}/cat on a mat.mp4",
        f"{FOLDER}/cat on a mat.avi",
        f"{LEGACY}/cat.mp4",
    ]
    for best in range(len(ranked)):
        assert find_reference(reversed(ranked[best:]), case("cat"), no_sidecars) == ranked[best]


def test_a_reference_of_another_prompt_is_not_taken_for_its_own() -> None:
    path = f"{FOLDER}/cat on a mat.mp4"
    assert find_reference([path], case("cat"), {path: "cat on a mat"}.get) is None
    own = reference_path(case("cat"))
    assert find_reference([own], case("cat"), {own: "cat and more after 100 characters"}.get) is None
    hashed = reference_path(case("cat on a mat", 7))
    assert find_reference([hashed], case("cat"), no_sidecars) is None, "its name says that it is not ours"
    assert find_reference([f"{FOLDER}/x.mp4"], case(" " * 100 + "x"), no_sidecars) is None


def test_two_prompts_that_begin_alike_have_a_reference_each() -> None:
    first, second = LONG + " One.", LONG + " Two."
    plain = reference_path(case(first))
    hashed = reference_path(case(second, shares_stem=True))
    assert plain != hashed
    # both in one set, as a data set without sidecars has them: the name belongs to the earlier one
    assert find_reference([plain], case(second, shares_stem=True), no_sidecars) is None
    # each in a set of its own, where they do not know of each other
    sidecars = {plain: first}
    assert free_path([], case(second), sidecars.get) == plain
    assert free_path([plain], case(second), sidecars.get) == hashed
    assert find_reference([plain], case(second), sidecars.get) is None
    sidecars[hashed] = second
    assert find_reference(sidecars, case(second), sidecars.get) == hashed
    assert find_reference(sidecars, case(first), sidecars.get) == plain
    # seeding again says that it is there, also when the other one is gone
    assert free_path(sidecars, case(first), sidecars.get) == plain
    assert free_path(sidecars, case(second), sidecars.get) == hashed
    assert free_path([hashed], case(second), sidecars.get) == hashed


def test_a_reference_without_a_sidecar_is_in_the_way() -> None:
    assert free_path([f"{FOLDER}/A cat.mp4"], case("A cat"), no_sidecars) == f"{FOLDER}/A cat.mp4"
