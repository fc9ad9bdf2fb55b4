# SPDX-License-Identifier: Apache-2.0
"""Words and lists of the configuration, and what a field of it is told of."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

import pydantic
import pytest

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
