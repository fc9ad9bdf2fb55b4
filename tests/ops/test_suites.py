# SPDX-License-Identifier: Apache-2.0
"""Prompt suites: benchmarks' own files as they are, and what they say of a clip all the way to the evaluation."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from fvhydra.config.load import build_config
from fvhydra.config.root import Config
from fvhydra.config.schema import conf_dir, register
from fvhydra.core.case import Case
from fvhydra.core.errors import InfrastructureError, UsageError
from fvhydra.launch import plugins
from fvhydra.ops.context import Prepared
from fvhydra.stores.layout import reference_path
from tests.conftest import Cli
from tests.servers.hub import ALICE, HubServer

# entries of VBench_full_info.json in each of its shapes
VBENCH = [
    {"prompt_en": "In a still frame, a stop sign", "dimension": ["temporal_flickering"]},
    {"prompt_en": "a person", "dimension": ["object_class"], "auxiliary_info": {"object_class": {"object": "person"}}},
    {"prompt_en": "a red bicycle", "dimension": ["color"], "auxiliary_info": {"color": {"color": "red"}}},
    {"prompt_en": "alley", "dimension": ["scene"], "auxiliary_info": {"scene": {"scene": {"scene": "alley"}}}},
    {"prompt_en": "alley", "dimension": ["background_consistency"]},
    {
        "prompt_en": "a bicycle on the left of a car, front view",
        "dimension": ["spatial_relationship"],
        "auxiliary_info": {
            "spatial_relationship": {
                "spatial_relationship": {"object_a": "bicycle", "object_b": "car", "relationship": "on the left of"}
            }
        },
    },
]

SCENES = [
    ("0001", "left", "ball-and-block-fall", "Two pillows on a table, and a ball, held above.", "Solid Mechanics"),
    ("0038", "center", "blow-balloon", "A black balloon is being filled.", "Fluid Dynamics"),
]


@pytest.fixture(scope="module", autouse=True)
def _registered() -> None:
    register()
    plugins.register()


def config(*overrides: str) -> Config:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return build_config(compose("config", overrides=["engine=mock", *overrides]))


def suite(*overrides: str) -> list[Case]:
    return Prepared(config(*overrides)).cases


@pytest.fixture
def vbench(tmp_path: Path) -> Path:
    path = tmp_path / "VBench" / "vbench" / "VBench_full_info.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(VBENCH))
    return path


@pytest.fixture
def physics_iq(tmp_path: Path) -> Path:
    """The benchmark's tree, with both recordings of the first scene and the first frame of each."""
    root = tmp_path / "physics-IQ"
    names = ["switch-frames", "split-videos/testing/30FPS", "split-videos/testing/8FPS", "descriptions"]
    for name in names:
        (root / name).mkdir(parents=True)
    with open(root / "descriptions" / "descriptions.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["scenario", "description", "category", "generated_video_name"])
        for number, view, scenario, description, category in SCENES:
            name = f"{number}_perspective-{view}_take-1_trimmed-{scenario}.mp4"
            table.writerow([name, description, category, name.replace("_take-1", "")])
            picture = f"{number}_switch-frames_anyFPS_perspective-{view}_trimmed-{scenario}.jpg"
            (root / "switch-frames" / picture).write_bytes(b"picture")
    for fps in (30, 8):
        for number, take in (("0001", 1), ("0199", 2)):
            name = f"{number}_testing-videos_{fps}FPS_perspective-left_take-{take}_trimmed-ball-and-block-fall.mp4"
            (root / f"split-videos/testing/{fps}FPS" / name).touch()
    return root


@pytest.mark.parametrize("folder", [False, True])
def test_vbench_is_read_as_it_is_from_the_file_or_a_folder_around_it(vbench: Path, folder: bool) -> None:
    found = suite("prompts=vbench", f"prompts.path={vbench.parents[1] if folder else vbench}")
    by_text: dict[str, list[Case]] = {}
    for case in found:
        by_text.setdefault(case.prompt, []).append(case)
    assert {text: len(of_prompt) for text, of_prompt in by_text.items()} == {
        "In a still frame, a stop sign": 25,
        **dict.fromkeys(["a person", "a red bicycle", "alley", "a bicycle on the left of a car, front view"], 5),
    }
    samples = {text: of_prompt[0].sample for text, of_prompt in by_text.items()}
    assert samples["a red bicycle"] == {"dimension": ["color"], "auxiliary_info": {"color": "red"}}
    assert samples["alley"] == {"dimension": ["scene", "background_consistency"], "auxiliary_info": {"scene": "alley"}}
    spatial = samples["a bicycle on the left of a car, front view"]["auxiliary_info"]["spatial_relationship"]
    assert spatial == {"object_a": "bicycle", "object_b": "car", "relationship": "on the left of"}


def test_each_clip_of_a_prompt_has_its_own_seed_index_and_place(vbench: Path) -> None:
    found = suite("prompts=vbench", f"prompts.path={vbench}", "seed=100")
    assert [case.index for case in found] == list(range(45))
    assert [case.seed for case in found if case.prompt == "a person"] == [100, 101, 102, 103, 104]
    assert len({reference_path(case) for case in found}) == 45 == len({case.fingerprint for case in found})


def test_one_prompt_of_the_set_brings_all_its_clips(vbench: Path) -> None:
    words = ("prompts=vbench", f"prompts.path={vbench}", "prompt_index=1")
    assert [(case.index, case.prompt) for case in suite(*words)] == [(25 + nth, "a person") for nth in range(5)]
    assert len(suite(*words, "prompts.samples=2")) == 2


def test_tags_choose_dimensions(vbench: Path) -> None:
    words = ("prompts=vbench", f"prompts.path={vbench}", "prompts.samples=1")
    assert [case.prompt for case in suite(*words, "prompts.tags=[color,background_consistency]")] == [
        "a red bicycle",
        "alley",
    ]
    with pytest.raises(UsageError, match="has no tag 'colour'"):
        suite(*words, "prompts.tags=colour")


def test_physics_iq_brings_first_frames_and_both_recordings(physics_iq: Path) -> None:
    words = ("model=wan22_ti2v_5b", "prompts=physics_iq", f"prompts.path='{physics_iq}'")
    first, second = suite(*words)
    assert first.image == physics_iq.joinpath(
        "switch-frames/0001_switch-frames_anyFPS_perspective-left_trimmed-ball-and-block-fall.jpg"
    )
    assert (first.sample["scenario"], first.sample["view"]) == ("ball-and-block-fall", "left")
    assert first.sample["tags"] == ["Solid Mechanics"]
    assert "/30FPS/0001_testing" in first.sample["reference"] and "take-1" in first.sample["reference"]
    assert "/30FPS/0199_testing" in first.sample["reference_take2"]
    assert "reference" not in second.sample and second.prompt == "A black balloon is being filled."


def test_physics_iq_without_its_pictures_serves_text_to_video(physics_iq: Path, tmp_path: Path) -> None:
    table = physics_iq / "descriptions" / "descriptions.csv"
    (tmp_path / "alone").mkdir()
    alone = table.rename(tmp_path / "alone" / "descriptions_mine.csv")
    assert [case.image for case in suite("prompts=physics_iq", f"prompts.path={alone.parent}")] == [None, None]


def test_without_a_copy_it_says_how_to_get_one(tmp_path: Path) -> None:
    for name in ("vbench", "physics_iq"):
        with pytest.raises(UsageError, match=f"prompts={name} needs a copy of its data: https://github.com/"):
            suite(f"prompts={name}")
    with pytest.raises(UsageError, match="does not exist"):
        suite("prompts=vbench", f"prompts.path={tmp_path}/nowhere")
    with pytest.raises(UsageError, match=r"has no VBench_full_info\.json"):
        suite("prompts=vbench", f"prompts.path={tmp_path}")
    with pytest.raises(UsageError, match="may change at any time"):
        suite("prompts=vbench", "prompts.repo=someone/prompts")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("vbench", '{"a": 1}'),
        ("vbench", '[{"prompt": "a"}]'),
        ("vbench", '[{"prompt_en": "a", "dimension": ["color"], "auxiliary_info": {"color": "red"}}]'),
        ("vbench", "no JSON"),
        ("physics_iq", "text,seed\na,1\n"),
        ("physics_iq", "scenario,description\nmy clip.mp4,A ball.\n"),
    ],
)
def test_another_file_by_that_name_is_said_so(name: str, content: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(content)
    with pytest.raises(UsageError, match=f"is not the prompts of {name}|is not valid JSON"):
        suite(f"prompts={name}", f"prompts.path={path}")


def test_an_unreachable_hub_is_no_usage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InfrastructureError, match="cannot be fetched at abc"):
        suite("prompts=vbench", "prompts.repo=someone/prompts", "prompts.revision=abc")


def test_a_data_set_on_the_hub_is_read_at_its_commit(cli: Cli) -> None:
    with HubServer() as hub:
        repo = hub.create("alice/prompts")
        files = {"README.md": b"new", "data/VBench_full_info.json": json.dumps(VBENCH[:2]).encode(), "big.mp4": b"0"}
        pinned = repo.commit("main", {path: repo.put("blob", data) for path, data in files.items()}, "alice", "two")
        files["data/VBench_full_info.json"] = b"[]"
        repo.commit("main", {path: repo.put("blob", data) for path, data in files.items()}, "alice", "none")
        words = ("op=generate", "engine=mock", "model=wan21_t2v_1_3b", "prompts=vbench", "prompts.repo=alice/prompts")
        environment = {"HF_ENDPOINT": hub.url, "HF_TOKEN": ALICE, "HF_HUB_DISABLE_XET": "1"}
        made = cli(*words, f"prompts.revision={pinned}", "prompts.samples=1", **environment)
        assert made.code == 0 and "2 artifact(s) generated" in made.text, made.text
        gone = cli(*words, f"prompts.revision={'0' * 40}", **environment)
        assert gone.code == 4 and "cannot be fetched at 000" in gone.text, gone.text
        assert not any("big.mp4" in request.path for request in hub.requests)


def test_a_changed_copy_is_another_input(vbench: Path) -> None:
    chosen = config("prompts=vbench", f"prompts.path={vbench}")
    before = Prepared(chosen).file_digests
    vbench.write_text(json.dumps(VBENCH[:2]))
    assert before != Prepared(chosen).file_digests and set(before) == {"prompts=vbench"}


# ---------------------------------------------------------------------- files of one's own
def own(tmp_path: Path, *lines: dict[str, Any]) -> list[Case]:
    path = tmp_path / "suite.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return suite(f"prompt_file={path}")


def test_a_file_of_ones_own_says_the_same_things(tmp_path: Path) -> None:
    first, second, third = own(
        tmp_path,
        {"text": "a cat", "samples": 2, "tags": ["animal"], "auxiliary_info": {"object": "cat"}},
        {"text": "a dog", "reference": "dog.mp4"},
    )
    assert first.sample == second.sample == {"tags": ["animal"], "auxiliary_info": {"object": "cat"}}
    assert (second.seed - first.seed, third.sample) == (1, {"reference": str(tmp_path / "dog.mp4")})
    assert "sample" not in first.recipe


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"text": "a", "negative_promt": "b"}, "unknown key 'negative_promt'. Did you mean 'negative_prompt'?"),
        ({"text": "a", "samples": 0}, "samples is 0"),
        ({"text": "a", "samples": "many"}, "samples is 'many'"),
    ],
)
def test_a_line_that_says_something_else_is_refused(line: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        own(tmp_path, line)
    assert says in refused.value.message


def test_the_suite_in_miniature_reaches_the_evaluation(cli: Cli, tmp_path: Path) -> None:
    made = cli("op=generate", "engine=mock", "model=wan21_t2v_1_3b", "prompts=smoke_suite")
    assert made.code == 0, made.text
    manifest = json.loads((tmp_path / "outputs" / "latest" / "manifest.json").read_text())
    assert len(manifest["artifacts"]) == 6
    assert manifest["cases"][0]["sample"]["auxiliary_info"] == {"object": "person and bicycle", "color": "red"}
    scored = cli("op=eval", "run=outputs/latest", "metrics=temporal")
    assert scored.code == 0, scored.text
    rows = [json.loads(line) for line in (tmp_path / "outputs" / "latest" / "scores.jsonl").read_text().splitlines()]
    tags = {row["prompt"]: row["tags"] for row in rows}
    assert tags["a person and a red bicycle"] == ["dimension=multiple_objects", "dimension=color"]
    assert len({row["sample"] for row in rows}) == 6
