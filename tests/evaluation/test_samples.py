# SPDX-License-Identifier: Apache-2.0
"""What is scored, and which reference belongs to what."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fvhydra.core.errors import UsageError
from fvhydra.core.run import RunFolder
from fvhydra.evaluation.manifest import manifest_of, read_manifest, tags_of
from fvhydra.evaluation.samples import Samples, pairs, read_samples


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


def read(**words: str) -> Samples:
    return read_samples([], **words)


def ids(found: Samples) -> list[str]:
    return [sample.id for sample in found.samples]


@pytest.mark.parametrize(
    ("names", "others", "expected"),
    [
        (["a.mp4"], ["a.mp4"], {"a.mp4": "a.mp4"}),
        (["s/a.mp4"], ["a.mp4"], {}),
        (["a.mp4"], ["a.webm"], {"a.mp4": "a.webm"}),
        (["a.mp4"], ["a.webm", "a.mkv"], {}),
        (["a.mp4", "a.mov"], ["a.webm"], {}),
        (["a.mp4", "a.mov"], ["a.webm", "a.mkv"], {}),
        (["a.mp4", "a.mov"], ["a.mp4"], {"a.mp4": "a.mp4"}),
        (["b.mp4", "a.mp4"], ["z.mp4", "y.mp4"], {}),
        (["a.b.mp4"], ["a.c.mp4"], {}),
    ],
)
def test_pairs_are_found_by_path_and_never_by_position(
    names: list[str], others: list[str], expected: dict[str, str]
) -> None:
    assert pairs(names, others) == expected
    assert pairs(names[::-1], others[::-1]) == expected


def test_a_folder_is_searched_and_what_has_no_partner_is_listed(tmp_path: Path) -> None:
    touch(tmp_path / "gen", "b.mp4", "s/a.MP4", "notes.txt", "alone.mp4")
    touch(tmp_path / "ref", "b.mp4", "s/a.MP4", "unused.mp4")
    found = read(videos=str(tmp_path / "gen"), references=str(tmp_path / "ref"))
    assert ids(found) == ["alone.mp4", "b.mp4", "s/a.MP4", "reference/unused.mp4"]
    assert (found.alone, found.unused) == (["alone.mp4"], ["unused.mp4"])
    assert found.samples[2].keys == {"video": tmp_path / "gen/s/a.MP4", "reference": tmp_path / "ref/s/a.MP4"}
    assert [sample.role for sample in found.samples] == ["generated"] * 3 + ["reference"]


def test_a_link_that_leads_nowhere_is_a_clip_that_was_lost(tmp_path: Path) -> None:
    touch(tmp_path / "gen", "a.mp4", "folder.mp4/b.mp4")
    (tmp_path / "gen" / "lost.mp4").symlink_to("nowhere")
    assert ids(read(videos=str(tmp_path / "gen"))) == ["a.mp4", "folder.mp4/b.mp4", "lost.mp4"]


def test_a_manifest_of_others_does_not_make_a_run(tmp_path: Path) -> None:
    touch(tmp_path / "gen", "a.mp4")
    for content in ('{"version": 3}', "[1, 2]"):
        (tmp_path / "gen" / "manifest.json").write_text(content)
        assert ids(read(videos=str(tmp_path / "gen"), references=str(tmp_path / "gen"))) == ["a.mp4"]


def test_ids_of_a_pattern_begin_at_its_first_wildcard(tmp_path: Path) -> None:
    touch(tmp_path, "gen/x/1.mp4", "gen/y/2.mp4", "gen/y/2.txt")
    assert ids(read(videos=str(tmp_path / "gen/*/*.mp4"))) == ["x/1.mp4", "y/2.mp4"]
    assert ids(read(videos=str(tmp_path / "gen/**/*.mp4"))) == ["x/1.mp4", "y/2.mp4"]


def test_names_that_look_like_patterns_are_names(tmp_path: Path) -> None:
    touch(tmp_path, "take [1]/a.mp4", "b*.mp4")
    assert ids(read(videos=str(tmp_path / "take [1]"))) == ["a.mp4"]
    assert ids(read(videos=str(tmp_path / "b*.mp4"))) == ["b*.mp4"]


def test_two_files_are_a_pair_whatever_their_names(tmp_path: Path) -> None:
    touch(tmp_path, "gen.mp4", "approved.mp4")
    [sample] = read(videos=str(tmp_path / "gen.mp4"), references=str(tmp_path / "approved.mp4")).samples
    assert sample.keys == {"video": tmp_path / "gen.mp4", "reference": tmp_path / "approved.mp4"}


def test_a_run_brings_prompts_and_what_it_was_compared_with(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    run.start(op="check_ssim", model="m", title="", command=[], config={})
    touch(run.path, "artifacts/d/cat.mp4", "artifacts/d/bundle.pt", "references/d/cat.mp4")
    extra = {"sample": {"dimension": ["color"]}}
    run.update_manifest(cases=[{"index": 0, "prompt": "A cat"} | extra, {"index": 1, "prompt": "?"}])
    run.add_artifact(run.path / "artifacts/d/cat.mp4", 0, "f")
    run.add_artifact(run.path / "artifacts/d/bundle.pt", 1, "f")
    case = {"artifact": "artifacts/d/cat.mp4", "reference": "references/d/cat.mp4"}
    (run.path / "result.json").write_text(json.dumps({"cases": [case]}))
    for words in ({"run": str(run.path)}, {"videos": str(run.path)}):
        [sample] = read(**words).samples
        assert (sample.id, sample.tags) == ("d/cat.mp4", ("dimension=color",))
        assert sample.keys["text_prompt"] == "A cat"
        assert sample.keys["reference"] == run.path / "references/d/cat.mp4"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({}, "nothing to score is given"),
        ({"videos": "a", "manifest": "b"}, "videos= and manifest= are given"),
        ({"manifest": "a", "references": "b"}, "goes with videos= only"),
        ({"videos": "absent/*.mp4"}, "no file matches it"),
        ({"videos": "."}, "has no clip"),
        ({"run": "."}, "is not a run folder"),
    ],
)
def test_what_cannot_be_read_says_so(
    words: dict[str, str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=says):
        read(**words)


def test_a_manifest_has_any_keys_and_paths_of_its_own_folder(tmp_path: Path) -> None:
    lines = [
        {"video": "clips/b.mp4", "prompt": "A cat", "reference": "/abs/b.mp4", "seed": 3, "flow": "b.npz"},
        {"id": "z", "audio": "z.wav", "dimension": "color", "tags": ["night"], "role": "reference", "fps": None},
    ]
    path = tmp_path / "samples.jsonl"
    path.write_text("\n\n".join(map(json.dumps, lines)) + "\n")
    first, second = read_manifest(path, ["flow"])
    assert (first.id, first.role) == ("clips/b.mp4", "generated")
    assert first.keys == {
        "video": tmp_path / "clips/b.mp4",
        "reference": Path("/abs/b.mp4"),
        "flow": tmp_path / "b.npz",
        "text_prompt": "A cat",
        "seed": 3,
    }
    assert (second.id, second.role, second.tags) == ("z", "reference", ("night", "dimension=color"))
    assert "fps" not in second.keys


def test_every_bad_line_of_a_manifest_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    bad = ["{", "[1]", '{"prompt": "x"}', '["\\xff"]', '{"video": "a", "role": "other"}']
    path.write_text("\n".join(['{"video": "a"}', *bad, '{"video": "a"}']))
    with pytest.raises(UsageError) as caught:
        read_manifest(path, [])
    said = caught.value.message
    assert said.startswith("6 line(s)")
    for line, part in ((2, "not JSON"), (3, "not a JSON object"), (4, "neither id"), (5, "not a JSON object")):
        assert f"line {line}: {part}" in said or (f"line {line}: " in said and part in said)
    assert "line 6: role is 'other'" in said
    assert "line 7: the id 'a' is there already" in said


@pytest.mark.parametrize("content", ["", "\n\n", None])
def test_a_manifest_without_samples_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "samples.jsonl"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match=r"has no samples|There is no manifest"):
        read_manifest(path, [])
    if content is not None:  # that of a shard, in which no sample fell
        assert read_samples([], manifest=str(path), of_shard=True).samples == []


def test_tags_are_said_once_and_nested_values_are_none() -> None:
    assert tags_of({"tags": ["a", "a"], "dimension": ["x", "y"], "scenario": {"deep": 1}, "view": 2}) == (
        *("a", "dimension=x", "dimension=y", "view=2"),
    )


def test_an_odd_line_of_a_manifest_is_a_sample_that_cannot_be_read(tmp_path: Path) -> None:
    lines = {
        '{"id": "fine", "video": "a.mp4"}': "",
        '{"id": 1, "video": "a.mp4"}': "",
        '{"id": 1.5, "video": "a.mp4"}': "",
        '{"id": "nan", "video": "a.mp4", "prompt": NaN}': "",
        '{"id": "nul", "video": "a\\u0000.mp4"}': "video 'a\\x00.mp4' is no path: it holds a NUL",
        '{"id": "half", "video": "a\\ud800.mp4"}': "is no path: it holds half of a surrogate pair",
        '{"id": "long", "video": "a.mp4", "reference": "%s"}' % ("a/" * 3000): "reference 'a/a/",
        '{"id": "name", "video": "%s"}' % ("a" * 300): "a name of more than 255 bytes",
        '{"id": "home", "video": "~nobody-here/a.mp4"}': "nobody of that name has a home here",
        '{"id": "list", "video": ["a.mp4"]}': "video is ['a.mp4'], which is no path",
        '{"id": "object", "video": "a.mp4", "reference": {"a": 1}}': "reference is {'a': 1}, which is no path",
        '{"id": "prompt", "video": "a.mp4", "prompt": 5}': "its prompt is 5, which is no text",
        '{"id": ["a"], "video": "a.mp4"}': "its id is ['a'], which is no text",
        '{"id": "\\ud800", "video": "a.mp4"}': "which is no text",
        '{"id": true, "video": "a.mp4"}': "its id is True",
        '{"video": 3}': "video is 3, which is no path",
    }
    path = tmp_path / "samples.jsonl"
    path.write_text("\n".join(lines))
    found = {sample.id: sample for sample in read_manifest(path, [])}
    assert len(found) == len(lines) and found["1"].problem == found["1.5"].problem == ""
    assert "text_prompt" not in found["nan"].keys
    for number, says in enumerate(lines.values(), 1):
        odd = [sample.problem for sample in found.values() if sample.problem.startswith(f"line {number}: ")]
        assert [says in problem for problem in odd] == ([True] if says else []), (number, odd)
    path.write_bytes(manifest_of(found.values()))
    there = {sample.id: sample.problem for sample in read_manifest(path, [])}
    assert there == {id: sample.problem for id, sample in found.items()}, "the same in a shard"
