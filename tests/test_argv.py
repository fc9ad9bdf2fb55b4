# SPDX-License-Identifier: Apache-2.0
"""Free text survives the shell, Hydra's grammar and OmegaConf's."""

from __future__ import annotations

import random

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from fvhydra import argv
from fvhydra.core.errors import UsageError

ODD = [
    "A cat, sitting = happy (1.2)",
    "it's",
    'she said "no"',
    "a\\",
    "\\\\",
    "a\\'b",
    "${oc.env:HOME}",
    "\\${x}",
    "$5",
    "猫が、座っている",
    "a: b",
    "{a} [1, 2]",
    "null",
    "true",
    "1e5",
    "  spaces  ",
    "# c",
    "~x",
    "%",
]


def _through_hydra(word: str) -> object:
    value = OverridesParser.create().parse_override(word).value()
    config = OmegaConf.create({"prompt": None})
    OmegaConf.update(config, "prompt", value)
    return config.prompt


@pytest.mark.parametrize("text", ODD)
def test_odd_prompt_arrives_unchanged(text: str) -> None:
    assert _through_hydra(argv.quote_free_text([f"prompt={text}"])[0]) == text


def test_random_prompts_arrive_unchanged() -> None:
    rng = random.Random(0)
    for _ in range(1500):
        text = "".join(rng.choice("ab\\'\"${},=() 猫:[]") for _ in range(rng.randint(1, 12)))
        [word] = argv.quote_free_text([f"prompt={text}"])
        expected = text if word != f"prompt={text}" else text[1:-1]
        if word != f"prompt={text}":
            assert _through_hydra(word) == expected


def test_a_quoted_string_stays_what_hydra_users_mean() -> None:
    assert argv.quote_free_text(["prompt='a, b'"]) == ["prompt='a, b'"]
    assert argv.quote_free_text(["-m", "prompt='a','b, c'"]) == ["-m", "prompt='a','b, c'"]


def test_a_comma_is_no_sweep_in_a_prompt() -> None:
    assert argv.quote_free_text(["-m", "prompt=a, b", "seed=0,1"]) == ["-m", "prompt='a, b'", "seed=0,1"]


def test_other_keys_are_left_to_hydra() -> None:
    assert argv.quote_free_text(["seed=0,1", "image=null", "-m"]) == ["-m", "seed=0,1", "image=null"]


def test_flags_may_stand_anywhere() -> None:
    given = ["op=generate", "--cfg", "job", "seed=1", "--config-dir=mine", "-p", "sampling"]
    assert argv.quote_free_text(given) == [
        "--cfg",
        "job",
        "--config-dir=mine",
        "-p",
        "sampling",
        "op=generate",
        "seed=1",
    ]


def test_showing_a_configuration_of_a_sweep_is_refused() -> None:
    with pytest.raises(UsageError, match="--cfg shows one configuration"):
        argv.refuse_what_hydra_ignores(["-m", "seed=0,1", "--cfg", "job"])


def test_bare_hydra_launcher_is_refused() -> None:
    with pytest.raises(UsageError, match=r"jobs would not run there[^$]*launcher=local"):
        argv.refuse_what_hydra_ignores(["hydra/launcher=slurm"])


@pytest.mark.parametrize("word", ["model=null", "sampling=null", "tier=", "op=3", "~model", "~op=generate"])
def test_a_group_without_an_option_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="a job needs one"):
        argv.refuse_what_hydra_ignores(["op=generate", word])


@pytest.mark.parametrize("given", [["=3"], ["op=generate", "=3"], ["+=3"]])
def test_a_value_without_a_key_is_refused(given: list[str]) -> None:
    with pytest.raises(UsageError, match="has no key"):
        argv.refuse_what_hydra_ignores(given)


@pytest.mark.parametrize("flag", ["--config-name=x", "-cn", "--config-path", "-cp", "--experimental-rerun"])
def test_another_configuration_is_refused(flag: str) -> None:
    with pytest.raises(UsageError, match="--config-dir"):
        argv.refuse_what_hydra_ignores([flag, "x"])


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("runs=[a,b]", ["a", "b"]),
        ("runs=[ out puts/a (1), b = c's ]", ["out puts/a (1)", "b = c's"]),
        ("runs=['a, b',\"c\"]", ["a, b", "c"]),
        ("runs=[]", []),
    ],
)
def test_a_list_of_paths_arrives_as_it_is(word: str, parts: list[str]) -> None:
    [protected] = argv.quote_free_text([word])
    [override] = OverridesParser.create().parse_overrides([protected])
    assert [str(part) for part in override.value()] == parts  # type: ignore[union-attr]


@pytest.mark.parametrize("key", ["op.source_results", "op.source_result", "runtime.cache_dir", "runtime.output_dir"])
@pytest.mark.parametrize("given", ["https://ci.example/a.json?sig=a%3D&x=(1)$", "~/perf (1)=2.json", "'a, b'"])
def test_one_path_or_address_arrives_as_it_is(key: str, given: str) -> None:
    [protected] = argv.quote_free_text([f"{key}={given}"])
    [override] = OverridesParser.create().parse_overrides([protected])
    assert str(override.value()) == given.strip("'")


@pytest.mark.parametrize("word", ["runs=null", "runs=", "runs=a,b"])
def test_what_is_no_list_is_left_to_hydra(word: str) -> None:
    assert argv.quote_free_text([word]) == [word]


def test_in_a_sweep_lists_of_paths_are_hydras() -> None:
    assert argv.quote_free_text(["-m", "runs=[a,b],[a,c]"])[-1] == "runs=[a,b],[a,c]"
