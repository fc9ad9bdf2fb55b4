# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pydantic
import pytest

from fvhydra.metrics.base import Chunk, SampleVideos, Track
from fvhydra.metrics.common.structure import Structures
from fvhydra.metrics.functional import pixel
from fvhydra.similarity import structure
from tests.metrics.golden import load, recipes
from tests.metrics.running import make, run, score, skips
from tests.similarity.conftest import textured

GOLDEN = load("common_pixel")


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["name"])
def test_recorded(case: dict[str, Any]) -> None:
    clips = {key: recipes.clip(recipes.checked(case[key], case["sha"][key])) for key in ("reference", "video")}
    frames = min(map(len, clips.values()))  # what parity=peer lets through
    clips = {key: clip[:frames] for key, clip in clips.items()}
    for name in ("ssim", "psnr"):
        found = score(make(f"common.{name}", parity="peer"), **clips)
        tolerance = max(GOLDEN["tolerance"][name], 1.1e-5 if name == "ssim" else 0)  # see tests/metrics/functional
        assert found.value == pytest.approx(case[name]["score"], abs=tolerance)
        assert found.series["per_frame"] == pytest.approx(case[name]["details"]["per_frame"], abs=tolerance)
        assert found.frames == frames


def test_parameters_are_the_functions() -> None:
    pair = textured(3, 40, 60), textured(3, 40, 60, seed=1)
    videos = dict(zip(("reference", "video"), pair, strict=True))
    for border, window in (("valid", 11), ("zero", 7), ("valid", 7)):
        found = score(make("common.ssim", border=border, window=window), **videos)
        assert found.series["per_frame"].tolist() == pixel.ssim(*pair, border, window).tolist()  # type: ignore[arg-type]
    found = score(make("common.psnr", largest=2.0), **videos)
    assert found.series["per_frame"].tolist() == pixel.psnr_db(*pair, largest=2).tolist()


@pytest.mark.parametrize("wrong", [{"border": "reflect"}, {"window": 8}, {"window": 1}, {"parity": "clean"}])
def test_parameters_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        make("common.ssim", **wrong)


@pytest.mark.parametrize("sides", [(40, 60), (11, 30), (170, 165)])
def test_no_bit_depends_on_what_is_measured_beside(sides: tuple[int, int]) -> None:
    videos = {"reference": textured(4, *sides), "video": textured(4, *sides, seed=1)}
    names = ("common.ssim", "common.ms_ssim")
    alone = [score(make(name), **videos).series["per_frame"].tolist() for name in names]
    for order in (names, names[::-1]):
        found = run([make(name) for name in order], **videos)
        together = {name: each.series["per_frame"].tolist() for name, each in zip(order, found, strict=True)}
        assert [together[name] for name in names] == alone
    assert alone[0] == pixel.ssim(**named(videos)).tolist()
    # other strides, other vectorised additions
    assert alone[1] == pytest.approx(pixel.ms_ssim(**named(videos)), abs=1e-6)


def named(videos: dict[str, Any]) -> dict[str, Any]:
    return {"reference": videos["reference"], "generated": videos["video"]}


def test_each_frame_is_filtered_once_for_both(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []
    real = structure.StructuralSimilarity.__call__

    def counting(self: Any, reference: Any, *rest: Any, **options: Any) -> Any:
        compared.append(int(reference[0, 0, 0]))
        return real(self, reference, *rest, **options)

    monkeypatch.setattr(structure.StructuralSimilarity, "__call__", counting)
    clip = np.zeros((6, 16, 16, 3), np.uint8)
    clip[:, 0, 0, 0] = range(6)
    for chunk in (2, 6):
        compared.clear()
        run([make("common.ssim"), make("common.ms_ssim")], chunk=chunk, reference=clip, video=clip)
        assert sorted(compared) == [0, 1, 2, 3, 4, 5]


def test_both_in_threads_at_once() -> None:
    pair = textured(24, 32, 40), textured(24, 32, 40, seed=1)
    clip = SampleVideos({"video": Track(32, 40, 24, 24)})
    structures = Structures.of(clip, "ssim"), Structures.of(clip, "ms_ssim")
    chunk = Chunk(0, {})
    with ThreadPoolExecutor(2) as pool:
        found = [
            pool.submit(structures[0].ssim, *pair, chunk.shared),
            pool.submit(structures[1].ms_ssim, *pair, chunk.shared),
        ]
    assert found[0].result().tolist() == pixel.ssim(*pair).tolist()
    assert found[1].result() == pytest.approx(pixel.ms_ssim(*pair), abs=1e-6)


def test_equal_frames_have_an_infinite_psnr_that_is_in_no_mean() -> None:
    reference = textured(4, 16, 16)
    video = reference.copy()
    video[1] = 255 - video[1]
    found = score(make("common.psnr"), reference=reference, video=video)
    assert found.outputs == {"infinite_frames": 3}
    assert found.value == found.series["per_frame"][1] == pixel.psnr_db(reference, video)[1] < 20
    equal = score(make("common.psnr"), reference=reference, video=reference)
    assert (equal.value, equal.outputs) == (math.inf, {"infinite_frames": 4})
    peer = score(make("common.psnr", parity="peer"), reference=reference, video=reference)
    assert (peer.value, peer.outputs) == (100, {"infinite_frames": 0})
    with skips("too_short"):
        score(make("common.psnr"), reference=reference[:0], video=reference[:0])


def test_scales_are_told() -> None:
    clip = textured(1, 90, 120)
    found = score(make("common.ms_ssim"), reference=clip, video=clip)
    assert (found.value, found.outputs) == (pytest.approx(1), {"scales": 4})


def test_frames_smaller_than_the_window() -> None:
    clip = np.zeros((2, 10, 40, 3), np.uint8)
    assert score(make("common.ssim"), reference=clip, video=clip).value == pytest.approx(1)
    for metric in (make("common.ms_ssim"), make("common.ssim", border="valid")):
        with skips("shape", "10x40"):
            score(metric, reference=clip, video=clip)


def test_no_frames_are_no_score() -> None:
    clip = np.zeros((0, 16, 16, 3), np.uint8)
    with skips("too_short"):
        score(make("common.ssim"), reference=clip, video=clip)


def test_a_reference_is_needed() -> None:
    with skips("missing_input", "reference"):
        score(make("common.psnr"), video=textured(1, 16, 16))
