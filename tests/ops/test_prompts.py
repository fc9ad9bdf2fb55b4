# SPDX-License-Identifier: Apache-2.0
"""Prompts as people keep them, and the sentence for each that is none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from fvhydra.config.load import build_config
from fvhydra.config.root import Config
from fvhydra.config.schema import conf_dir, register
from fvhydra.core.errors import UsageError
from fvhydra.launch import plugins
from fvhydra.ops.context import Prepared


@pytest.fixture(scope="module")
def config() -> Config:
    register()
    plugins.register()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return build_config(compose("config", overrides=["engine=mock"]))


def texts(config: Config, **keys: Any) -> list[str]:
    return [case.prompt for case in Prepared(Config(**(vars(config) | keys))).cases]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "\ufeffa cat\na dog\n"),
        ("a.jsonl", '\ufeff{"text": "a cat", "image": null}\n"a dog"\n'),
        ("a.json", '\ufeff["a cat", {"text": "a dog", "negative_prompt": "blur"}]'),
        ("a.yaml", "\ufeff- a cat\n- text: a dog\n"),
    ],
)
def test_every_kind_of_file_is_read_with_a_byte_order_mark_too(
    config: Config, tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert texts(config, prompt_file=str(tmp_path / name)) == ["a cat", "a dog"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.yaml", b"- [a\n", "is not valid YAML"),
        ("a.yaml", b"just a text", "must hold a list of prompts"),
        ("a.yaml", b"5", "must hold a list of prompts"),
        ("a.yaml", b"a: 1\na: 2\n", "the key 'a' is there twice"),
        ("a.yaml", b"a: 1\n", "must hold a list of prompts"),
        ("a.yaml", b"- caf\xe9\n", "not UTF-8"),
        ("a.jsonl", b'{"text": "a", "image": 5}', "the values of .* must be texts"),
        ("a.jsonl", b'{"text": "a", "negative_prompt": 7}', "the values of .* must be texts"),
        ("a.yaml", b"- &a [x]\n- &b [*a, *a]\n" + b"- *b\n" * 60_000, "more than 200,000 values"),
        ("a.jsonl", b'"a"\n{\n', "a.jsonl line 2 is not valid JSON"),
        ("a.jsonl", b'{"text": "a", "samples": 100000000}', "samples is 100000000.* less than or equal to 10000"),
        ("a.jsonl", b'{"text": "a", "samples": 10000}\n' * 11, "asks for 110,000 cases; a run has at most 100,000"),
        ("a.json", b"[" * 1000, "nested deeper than 64"),
        ("a.json", b'["' + b"a" * 100_001 + b'"]', "has 100,001 characters; at most 100,000"),
        ("a.txt", b"a\n" * 100_001, "asks for 100,001 cases; a run has at most 100,000"),
        ("a.jsonl", b'{"text": 5}', "neither a text nor an object"),
        ("a.json", b'["a\\ud800b"]', "Prompt 0 of prompt_file=.* is not text"),
        ("a.json", b'["a", {"text": "b", "negative_prompt": "\\ud800"}]', "Prompt 1 of prompt_file=.* is not text"),
    ],
)
def test_what_is_no_prompt_is_named(config: Config, tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=says):
        texts(config, prompt_file=str(tmp_path / name))


def test_a_prompt_of_other_bytes_than_utf8_is_named(config: Config) -> None:
    with pytest.raises(UsageError, match="Prompt 0 of prompt= is not text"):
        texts(config, prompt=b"caf\xe9".decode(errors="surrogateescape"))


@pytest.mark.parametrize("suffix", [".txt", ".json", ".jsonl", ".yaml"])
def test_a_prompt_file_that_has_no_end_is_refused(config: Config, tmp_path: Path, suffix: str) -> None:
    os.mkfifo(tmp_path / f"fifo{suffix}")
    (tmp_path / f"device{suffix}").symlink_to("/dev/zero")
    for name, says in (("fifo", "FIFO"), ("device", "device"), ("none", "There is no prompt file")):
        with pytest.raises(UsageError, match=says):
            texts(config, prompt_file=str(tmp_path / f"{name}{suffix}"))


def test_a_first_frame_that_has_no_end_is_refused(config: Config) -> None:
    with pytest.raises(UsageError, match=r"first frame \(image=/dev/zero\) /dev/zero is a device"):
        texts(config, prompt="a cat", image="/dev/zero")
