# SPDX-License-Identifier: Apache-2.0
"""Jobs: what may be said of clips, and what is said of what may not."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from fvhydra.config.job import json_schema, read_job
from fvhydra.config.schema import conf_dir
from tests.conftest import ROOT

SCHEMA = ROOT / "docs" / "job.schema.json"


def _job(*clips: Any, **more: Any) -> dict[str, Any]:
    return {"name": "story", "clips": list(clips) or [{"prompt": "one"}], **more}


def test_what_is_not_said_has_its_default() -> None:
    spec, problems = read_job(_job({"prompt": "one", "id": "a"}, {"prompt": "two"}))
    assert spec is not None and not problems
    assert [spec.clip_id(index) for index in range(2)] == ["a", "clip_001"]
    assert spec.guardrails.max_clip_seconds == 600 and spec.init_image is None


@pytest.mark.parametrize(
    ("data", "problems"),
    [
        ([], ["The job=[]: must be keys with their values."]),
        ({}, ["name is missing.", "clips is missing."]),
        ({"name": "a", "clips": []}, ["clips: must have at least 1, and has 0."]),
        (
            {"name": "a", "clips": [{"prompt": "x"}] * 1001},
            ["clips: must have at most 1,000, and has 1,001."],
        ),
        (
            _job({"prompt": "x", "chain": "clip:"}),
            ["clips[0].chain='clip:': must be last_frame, none, image:<path> or"],
        ),
        (_job({"prompt": "x", "chain": "last_frame"}), ["clips[0].chain=last_frame: no clip comes before the first"]),
        (_job({"prompt": "x", "id": "a", "chain": "clip:a"}), ["must be an earlier clip, not the clip itself."]),
        (_job({"prompt": "x"}, {"prompt": "y", "chain": "clip:clip_00"}), ["Did you mean 'clip_000'?"]),
        (_job({"prompt": "x", "id": "../x"}), ["clips[0].id='../x': must be letters, digits"]),
        (_job({"prompt": "x", "id": "clip_001"}, {"prompt": "y"}), ["clips[1].id=clip_001: clips[0] is called so"]),
        (_job(guardrails={"max_clip_seconds": 0}), ["guardrails.max_clip_seconds=0: must be greater than 0."]),
        (_job(guardrails={"max_seconds": 1}), ["guardrails.max_seconds: there is no such key."]),
        (_job({"prompt": "x", "seed": -1}, fps=0), ["clips[0].seed=-1", "fps=0: must be greater than 0."]),
        (_job({"prompt": "x" * 100_001}), ["must have at most 100,000 characters."]),
        (_job({"prompt": "x\ud800", "negative_prompt": "\ud800"}), ["must be text, and holds half"] * 2),
    ],
)
def test_what_is_wrong_is_said_with_its_place(data: Any, problems: list[str]) -> None:
    _, said = read_job(data)
    assert len(said) == len(problems)
    for problem, sentence in zip(problems, said, strict=True):
        assert problem in sentence


_CLIP_KEYS = "prompt, id, negative_prompt, seed, num_frames, chain, sampling"
_JOB_KEYS = "name, clips, fps, height, width, init_image, guardrails"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (None, "The job is empty."),
        (_job(nme=1), f"nme: there is no such key. Did you mean 'name'? A job has: {_JOB_KEYS}."),
        (
            _job({"prompt": "x", "prmpt": 1}),
            f"clips[0].prmpt: there is no such key. Did you mean 'prompt'? clips[0] has: {_CLIP_KEYS}.",
        ),
        (
            _job(guardrails={"max_seconds": 1}),
            "guardrails.max_seconds: there is no such key. Did you mean 'max_clip_seconds'? "
            "guardrails has: max_clip_seconds.",
        ),
        (
            _job({"prompt": "x", "sampling": {"steps": 1}}),
            "clips[0].sampling.steps: there is no such key. clips[0].sampling has: num_inference_steps, "
            "guidance_scale, flow_shift, vae_tiling.",
        ),
        (_job({"seed": 1}), "clips[0].prompt is missing."),
        (_job({"prompt": " "}), "clips[0].prompt=' ': must have a text."),
        (_job({"prompt": "x", "seed": True}), "clips[0].seed=True: must be a valid integer."),
        (_job(fps=True), "fps=True: must be a valid integer."),
        (
            _job({"prompt": "\ud800"}),
            "must be text, and holds half of a surrogate pair, or bytes that are not UTF-8.",
        ),
        (
            _job({"prompt": "x", "chain": "last_frame"}),
            "clips[0].chain=last_frame: no clip comes before the first; give init_image, or none.",
        ),
        (
            _job({"prompt": "x", "chain": "clip:b"}),
            "clips[0].chain=clip:b: no clip is called b. Before it: none.",
        ),
        (
            _job(*({"prompt": "x", "id": f"c{index}"} for index in range(10)), {"prompt": "x", "chain": "clip:zzz"}),
            "clips[10].chain=clip:zzz: no clip is called zzz. Before it: c0, c1, c2, c3, c4, c5, c6, c7, c8, c9.",
        ),
        (
            _job(*({"prompt": "x", "id": f"c{index}"} for index in range(12)), {"prompt": "x", "chain": "clip:zzz"}),
            "clips[12].chain=clip:zzz: no clip is called zzz. "
            "Before it: c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and 2 more.",
        ),
        (
            _job({"prompt": "x", "chain": "clip:b"}, {"prompt": "y", "id": "b"}, {"prompt": "z", "id": "c"}),
            "clips[0].chain=clip:b: must be an earlier clip, not clips[1], which comes later.",
        ),
        (
            _job({"prompt": "x", "id": "a", "chain": "clip:a"}),
            "clips[0].chain=clip:a: must be an earlier clip, not the clip itself.",
        ),
        (_job({"prompt": "x", "chain": "picture:a"}), "must be last_frame, none, image:<path> or clip:<id>."),
    ],
)
def test_each_problem_is_one_whole_sentence(data: Any, sentence: str) -> None:
    _, said = read_job(data)
    assert len(said) == 1 and said[0].endswith(sentence)


@pytest.mark.parametrize("chain", ["none", "image:a:b.png", "image:x"])
def test_what_a_first_clip_may_begin_with(chain: str) -> None:
    spec, said = read_job(_job({"prompt": "x", "chain": chain}))
    assert spec is not None and (spec.clips[0].chain, said) == (chain, [])


def test_a_prompt_may_be_as_long_as_is_said() -> None:
    assert read_job(_job({"prompt": "x" * 100_000}))[1] == []


def test_what_stands_in_for_what_is_missing_is_all_that_is_made_up() -> None:
    spec, said = read_job({"clips": ["x", {"seed": 1}], "fps": "?", "guardrails": {"no": 1}})
    assert spec is not None and len(said) == 5
    assert (spec.name, spec.fps, spec.guardrails.max_clip_seconds) == ("-", None, 600.0)
    assert [(clip.prompt, clip.seed) for clip in spec.clips] == [("-", None), ("-", 1)]
    spec, _ = read_job({"name": "a", "clips": []})
    assert spec is not None and [clip.prompt for clip in spec.clips] == ["-"]


def test_what_is_sound_of_a_wrong_job_is_looked_at_too() -> None:
    given = _job({"prompt": "x", "seed": "?", "id": "a"}, {"prompt": "y", "chain": "clip:b"}, "z", wrong=1)
    spec, said = read_job(given)
    assert spec is not None and len(spec.clips) == 3 and len(said) == 4
    assert given["clips"][0]["seed"] == "?"  # what was given is as it was


def test_the_published_schema_is_that_of_the_code() -> None:
    """``python -m tests.config.test_job`` renews it."""
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == json_schema()


def test_every_key_of_the_schema_is_described() -> None:
    schema = json_schema()
    for described in (schema, *schema["$defs"].values()):
        assert described["additionalProperties"] is False
        assert all(about.get("description") for about in described["properties"].values())


@pytest.mark.parametrize("path", sorted((conf_dir() / "job").glob("*.yaml")), ids=lambda path: path.stem)
def test_our_own_jobs_are_sound(path: Any) -> None:
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    spec, problems = read_job(written.get("job", written))
    assert spec is not None and spec.name == path.stem and not problems


if __name__ == "__main__":
    SCHEMA.write_text(json.dumps(json_schema(), indent=2) + "\n", encoding="utf-8")
