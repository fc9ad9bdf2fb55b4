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
