# SPDX-License-Identifier: Apache-2.0
"""Words and lists of the configuration, and what a field of it is told of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Annotated, Any

import pydantic
import pytest

from fvhydra.config import benchmark, fields, metrics, op
from fvhydra.config.fields import Name, Reason, Words, doc, one_of
from fvhydra.config.schema import SCHEMAS


def _said(kind: Any, value: Any) -> str:
    with pytest.raises(pydantic.ValidationError) as refused:
        pydantic.TypeAdapter(kind).validate_python(value)
    [item] = refused.value.errors()
    return str(item["msg"])


@pytest.mark.parametrize("name", ["a", "wan2.1_T2V-x", "-x", "0"])
def test_a_name_may_be_a_folder(name: str) -> None:
    assert pydantic.TypeAdapter(Name).validate_python(name) == name


@pytest.mark.parametrize("name", ["", ".x", "..", "a/b", "a b", "é", "a\n"])
def test_what_is_no_name_is_refused(name: str) -> None:
    assert _said(Name, name) == "Value error, must be letters, digits, '.', '_' and '-', and not begin with '.'"


@pytest.mark.parametrize("reason", ["", " ", "...", "<>", "2.13", "torch\n2.13", "why\u2028x"])
def test_a_reason_has_words_and_one_line(reason: str) -> None:
    assert "must say why" in _said(Reason, reason)


@pytest.mark.parametrize("reason", ["why", " FA3, at last ", "нове ядро", "新内核"])
def test_a_reason_may_be_in_any_language(reason: str) -> None:
    assert pydantic.TypeAdapter(Reason).validate_python(reason) == reason.strip()


def test_every_op_with_a_reason_reads_it_alike() -> None:
    schemas = [
        schema
        for schema in SCHEMAS["schema/op"].values()
        if "reason" in {field.name for field in dataclasses.fields(schema)}
    ]
    assert len(schemas) >= 8
    for schema in schemas:
        with pytest.raises(pydantic.ValidationError, match="must say why"):
            pydantic.TypeAdapter(schema).validate_python({"_target_": "a.B", "name": "b", "reason": "..."})


def test_a_closed_list_names_what_is_in_it() -> None:
    kind = Annotated[str, one_of("auto", "off")]
    assert pydantic.TypeAdapter(kind).validate_python("off") == "off"
    assert _said(kind, "on") == "Value error, must be one of: auto, off"


def test_one_word_is_a_list_of_one() -> None:
    read = pydantic.TypeAdapter(Words).validate_python
    assert (read(None), read("a"), read(["a", 1]), read(("a",))) == ([], ["a"], ["a", 1], ["a"])


def test_a_field_has_its_value_and_its_help() -> None:
    needed = doc("Needed")
    assert needed.default is needed.default_factory is dataclasses.MISSING
    assert needed.metadata == {
        "help": "Needed",
        "typed": False,
        "variable": "",
        "example": "",
        "counts": "",
        "word": "",
    }
    none, told = doc("None", None), doc("Told", 3, typed=True, variable="X", example="x")
    assert (none.default, told.default) == (None, 3)
    assert told.metadata == {"help": "Told", "typed": True, "variable": "X", "example": "x", "counts": "", "word": ""}
    listed = doc("Listed", factory=list)
    assert listed.default is dataclasses.MISSING and listed.default_factory is list
    assert (none.metadata["help"], listed.metadata["help"]) == ("None", "Listed")


@pytest.mark.parametrize(
    ("check", "value", "says"),
    [
        (op._is_mapping, "x", "must say what is other, such as {backend: flash_attn} or {ref: main}"),
        (op._as_options, "x", "must be options with their values, such as {runs: 5}"),
        (op._as_options, [1], "must be options with their values, such as {runs: 5}"),
        (metrics._is_device, "gpu", "must be auto, cpu, cuda, or cuda:<index>"),
        (fields._as_list, {"a": 1}, "must be a word or a list of words"),
        (fields._as_list, [None], "must be a word or a list of words"),
        *((benchmark._is_version, value, "must be a number or a word") for value in (True, "", 1.5, [])),
    ],
)
def test_what_may_not_be_is_said_in_one_sentence(check: Callable[[Any], Any], value: Any, says: str) -> None:
    with pytest.raises(ValueError) as refused:
        check(value)
    assert str(refused.value) == says


@pytest.mark.parametrize(
    ("check", "value", "becomes"),
    [
        *((op._is_mapping, value, value) for value in (None, {}, {"a": 1})),
        *((op._as_options, value, value or {}) for value in (None, {}, {"a": 1})),
        *((metrics._is_device, value, value) for value in ("auto", "cpu", "cuda", "cuda:12")),
        *((benchmark._is_version, value, value) for value in (None, 3, 0, "3")),
        (fields._as_list, "ab", ["ab"]),
        (fields._as_list, ("a", 1), ["a", 1]),
        (fields._as_list, None, []),
    ],
)
def test_what_may_be_stays_as_it_is(check: Callable[[Any], Any], value: Any, becomes: Any) -> None:
    assert check(value) == becomes
