# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from fvhydra.core.errors import UsageError
from fvhydra.core.files import sha256_file
from fvhydra.engines.quiet import quiet_libraries
from fvhydra.engines.tiny import snapshot, tokenizers, weights
from fvhydra.engines.tiny_family import TinyFamily
from tests.conftest import ROOT, clean_environment

with quiet_libraries():
    from diffusers.pipelines.hunyuan_video.pipeline_hunyuan_video_image2video import DEFAULT_PROMPT_TEMPLATE


def digests(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in folder.rglob("*") if path.is_file()}


def test_two_builds_have_the_same_bytes_whatever_the_random_state(tmp_path: Path) -> None:
    torch.manual_seed(1)
    first = snapshot.build_snapshot("wan21_t2v", tmp_path / "a")
    torch.manual_seed(2)
    np.random.default_rng(3)
    second = snapshot.build_snapshot("wan21_t2v", tmp_path / "b")
    assert digests(first) == digests(second)
    assert first.name == second.name


def test_a_build_leaves_the_random_state_alone(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    snapshot.build_snapshot("wan21_t2v", tmp_path)
    assert torch.equal(torch.get_rng_state(), before)


def test_another_seed_gives_other_weights_beside_the_first(tmp_path: Path) -> None:
    first, second = (snapshot.build_snapshot("wan21_t2v", tmp_path, seed) for seed in (0, 1))
    assert first != second
    one, two = (load_file(p / "transformer/diffusion_pytorch_model.safetensors") for p in (first, second))
    a, b = (np.concatenate([w["blocks.0.attn1.to_q.weight"].ravel()]) for w in (one, two))
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.1


@pytest.mark.parametrize("family", snapshot.FAMILIES)
def test_no_branch_of_a_family_is_dead(family: str, cache_dir: Path) -> None:
    folder = snapshot.build_snapshot(family, cache_dir)
    files = list(folder.rglob("*.safetensors"))
    assert files
    for path in files:
        for name, weight in load_file(path).items():
            assert np.any(weight), f"{path.parent.name}: {name} is all zeros"


@pytest.mark.parametrize("family", snapshot.FAMILIES)
def test_tokenizers_are_named_as_transformers_4_knows_them_too(family: str, cache_dir: Path) -> None:
    folder = snapshot.build_snapshot(family, cache_dir)
    index = json.loads((folder / "model_index.json").read_text())
    for path in folder.glob("tokenizer*/tokenizer_config.json"):
        settings = json.loads(path.read_text())
        name = settings["tokenizer_class"]
        assert index[path.parent.name] == ["transformers", name]
        assert name.endswith("Fast") and name in snapshot.TOKENIZERS.values()
        # what transformers 4 would otherwise take away
        assert name != "PreTrainedTokenizerFast" or settings["add_prefix_space"] is True


def test_a_snapshot_is_reused(cache_dir: Path) -> None:
    folder = snapshot.build_snapshot("wan21_t2v", cache_dir)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert snapshot.build_snapshot("wan21_t2v", cache_dir) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_an_unknown_family_is_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"model\.family=wan21_t2 has no tiny weights.*Did you mean 'wan21_t2v'"):
        snapshot.build_snapshot("wan21_t2", tmp_path)


def test_a_cache_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="Cannot write"):
        snapshot.build_snapshot("wan21_t2v", tmp_path / "file")


def test_a_failed_build_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(snapshot.FAMILIES, "broken", "fvhydra.engines.tiny.wan:not_there")
    with pytest.raises(AttributeError):
        snapshot.build_snapshot("broken", tmp_path)
    assert not list((tmp_path / "tiny").iterdir())


@pytest.mark.slow
def test_two_processes_build_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from fvhydra.engines.tiny.snapshot import build_snapshot\n"
        "import diffusers; sys.stdin.readline(); print(build_snapshot('hunyuan_i2v', Path(sys.argv[1])))"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            cwd=ROOT,
            env=clean_environment(tmp_path, tmp_path),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    outputs = {racer.communicate(timeout=120)[0].strip() for racer in racers}
    assert [racer.returncode for racer in racers] == [0, 0]
    (only,) = outputs
    assert [path.name for path in (tmp_path / "tiny").iterdir()] == [Path(only).name]


def test_a_parameter_depends_on_its_name_alone() -> None:
    alone = weights.initialise(torch.nn.ModuleDict({"b": torch.nn.Linear(3, 4)}), "net", 0)
    beside = weights.initialise(torch.nn.ModuleDict({"a": torch.nn.Linear(9, 9), "b": torch.nn.Linear(3, 4)}), "net", 0)
    assert torch.equal(alone.state_dict()["b.weight"], beside.state_dict()["b.weight"])
    renamed = weights.initialise(torch.nn.ModuleDict({"c": torch.nn.Linear(3, 4)}), "net", 0)
    assert not torch.equal(alone.state_dict()["b.weight"], renamed.state_dict()["c.weight"])


@pytest.mark.parametrize("scale", [0.01, 0.3])
def test_a_perturbation_is_relative_and_seeded(scale: float) -> None:
    nets = [weights.initialise(torch.nn.Linear(100, 100), "net", 0) for _ in range(3)]
    before = nets[0].weight.detach().clone()
    for net, seed in zip(nets, (0, 0, 1), strict=True):
        weights.perturb(net, "net", seed, scale)
    relative = (nets[0].weight.detach() / before - 1).std().item()
    assert relative == pytest.approx(scale, rel=0.05)
    assert torch.equal(nets[0].weight, nets[1].weight)
    assert not torch.equal(nets[0].weight, nets[2].weight)


TEXTS = [
    "a cat",
    "a dog",
    "A cat",
    "a  cat",
    "",
    "naïve — ‘quotes’",
    "一只猫在月球上",
    "🐈‍⬛",
    "a" * 300,
    "tab\tand\nline",
]


@pytest.fixture(params=["t5", "gemma", "llama3"])
def tokenizer(request: pytest.FixtureRequest) -> Any:
    if request.param == "llama3":
        return tokenizers.llama3(DEFAULT_PROMPT_TEMPLATE["template"], DEFAULT_PROMPT_TEMPLATE["crop_start"])
    return getattr(tokenizers, request.param)(512)


def test_every_text_has_an_encoding_of_its_own(tokenizer: Any) -> None:
    encodings = {tuple(tokenizer(text)["input_ids"]) for text in TEXTS}
    assert len(encodings) == len(TEXTS)


def test_common_words_are_one_token() -> None:
    assert len(tokenizers.t5(512)("a robot dancing")["input_ids"]) == 4  # and the end


def test_the_head_of_hunyuans_template_is_as_long_as_what_is_cut() -> None:
    template, cut = DEFAULT_PROMPT_TEMPLATE["template"], DEFAULT_PROMPT_TEMPLATE["crop_start"]
    tokenizer = tokenizers.llama3(template, cut)
    whole = tokenizer(template.format("a cat on the moon"))["input_ids"]
    assert "catonthemoon" in tokenizer.decode(whole[cut:]).replace(" ", "")
    assert "cat" not in tokenizer.decode(whole[:cut])


class Mine(TinyFamily):
    """A family from outside, which is Wan by another name."""

    def build(self, seed: int) -> Any:
        from fvhydra.engines.tiny.wan import build_t2v

        return build_t2v(seed)


def test_a_family_from_outside_is_built_by_its_own_class(tmp_path: Path) -> None:
    ours = snapshot.build_snapshot("wan21_t2v", tmp_path)
    theirs = snapshot.build_snapshot("mine", tmp_path, builder=f"{__name__}.Mine")
    assert theirs.name.startswith("mine-") and digests(theirs) == digests(ours)
    with pytest.raises(UsageError, match=r"model\.tiny\._target_=.*is not a class derived from .*TinyFamily"):
        snapshot.build_snapshot("mine", tmp_path, builder=f"{__name__}.Path")
    with pytest.raises(UsageError, match="was named by a file"):
        snapshot.build_snapshot("mine", tmp_path, builder="os.path.join")
