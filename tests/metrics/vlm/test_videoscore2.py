# SPDX-License-Identifier: Apache-2.0
"""VideoScore2 with tiny weights, whose answers have the form of its own."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from fvhydra.core.errors import InfrastructureError
from fvhydra.metrics.assets import HubAssets
from fvhydra.metrics.base import Metric, SampleVideos, Track
from fvhydra.metrics.functional import videoscore2
from fvhydra.metrics.models import qwen_vl
from fvhydra.metrics.models.tiny import build_network
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.vlm.videoscore2 import VideoScore2
from tests.metrics.running import chunks, score, skips
from tests.similarity.conftest import textured

VIDEO, PROMPT = textured(24, 64, 96), {"text_prompt": "A cat"}


def made(assets: HubAssets, **params: Any) -> Metric:
    metric = VideoScore2(VideoScore2.spec.params(**params), assets)
    metric.setup()
    return metric


@pytest.mark.parametrize("chunk", [1, 7, 50])
def test_marks_are_those_of_the_logits(chunk: int, assets: HubAssets) -> None:
    found = score(made(assets), PROMPT, fps=8, chunk=chunk, video=VIDEO)
    model = qwen_vl.load_model(build_network("videoscore2", assets.cache_dir), "cpu")
    shown = qwen_vl.scaled(VIDEO[[0, 5, 9, 14, 18, 23]], (280, 392))
    question = [qwen_vl.Clip(shown, 2.0), videoscore2.QUESTION.replace("{prompt}", "A cat")]
    said = qwen_vl.answer(model, question, 1024)
    marks = said.logits[[1, 3, 5]][:, model.tokenizer.convert_tokens_to_ids(list("12345"))].softmax(1)
    soft = [round(float((each.argmax() + 1) * each.max()), 4) for each in marks]
    assert [found.outputs[name] for name in videoscore2.DIMENSIONS] == pytest.approx(soft, abs=2e-4)
    assert found.value == pytest.approx(fmean(soft), abs=2e-4)
    expected = [sum((mark + 1) * float(share) for mark, share in enumerate(each)) for each in marks]
    assert found.outputs["expected"] == pytest.approx(fmean(expected), abs=1e-4)
    hard = [float(each.argmax() + 1) for each in marks]
    assert [found.outputs[f"{name}_hard"] for name in videoscore2.DIMENSIONS] == hard
    assert found.outputs["raw_output"].startswith("\n(1) visual quality: ") and found.frames == 6


def test_no_marks_are_a_failure(assets: HubAssets) -> None:
    with pytest.raises(InfrastructureError, match=r"not the three marks .* ends with '\\n\(1\) visual quality: '"):
        score(made(assets, max_tokens=1), PROMPT, fps=8, video=VIDEO)


def test_another_model_and_more_frames(assets: HubAssets, tmp_path: Path) -> None:
    folder = build_network("videoscore2", tmp_path)
    metric = made(HubAssets("cpu", tmp_path / "cache"), model_name=str(folder))
    plain = score(made(assets), PROMPT, fps=8, video=VIDEO)
    assert score(metric, PROMPT, fps=8, video=VIDEO).outputs == plain.outputs
    [asset] = metric.spec.loads(metric.params)
    assert (asset.repo, asset.revision, asset.licence) == (str(folder), None, "unknown")
    assert str(metric.assets.revision(metric.spec, "videoscore2")).startswith("sha256:")
    more = score(made(assets, infer_fps=4.0), PROMPT, fps=8, video=VIDEO)
    assert more.frames == 12 and more.value != plain.value
    with skips("no_weights", f"model_name={tmp_path / 'gone'} does not exist"):
        made(HubAssets("cpu", tmp_path / "cache"), model_name=str(tmp_path / "gone"))


def test_an_answer_by_chance_is_the_same_for_the_same_clip(assets: HubAssets, tmp_path: Path) -> None:
    file = tmp_path / "a.mp4"
    file.write_bytes(b"a clip")
    metric = made(assets, do_sample=True, temperature=5.0)

    def drawn(prompt: str) -> str:
        sample = Sample("a", {"video": file, "text_prompt": prompt})
        reading = metric.begin(sample, SampleVideos({"video": Track(64, 96, 8, 24)}))
        for chunk in chunks({"video": VIDEO}, 10):
            reading.update(chunk)
        return str(reading.result().outputs["raw_output"])

    answers = [drawn(prompt) for prompt in ("A cat", "A cat", "A dog", "A cow", "An owl")]
    assert answers[0] == answers[1] and len(set(answers)) > 1


@pytest.mark.parametrize("header", [24, None])
def test_a_header_that_counts_and_one_that_does_not(header: int | None, assets: HubAssets) -> None:
    metric = made(assets)
    reading = metric.begin(
        Sample("a", {"video": Path("a"), **PROMPT}), SampleVideos({"video": Track(64, 96, 8, header)})
    )
    for chunk in chunks({"video": VIDEO}, 7):
        reading.update(chunk)
    assert reading.result().value == score(metric, PROMPT, fps=8, video=VIDEO).value


def test_clips_that_cannot_be_shown(assets: HubAssets) -> None:
    metric = made(assets)
    with skips("too_short", "it takes two"):
        score(metric, PROMPT, fps=8, video=VIDEO[:1])
    with skips("missing_input", "text_prompt"):
        score(metric, fps=8, video=VIDEO)
    reading = metric.begin(Sample("a", {"video": Path("a"), **PROMPT}), SampleVideos({"video": Track(64, 96, 8, 30)}))
    for chunk in chunks({"video": VIDEO}, 7):
        reading.update(chunk)
    with skips("unreadable", "24 frames, and its header says 30"):
        reading.result()
