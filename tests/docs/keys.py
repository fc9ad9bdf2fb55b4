# SPDX-License-Identifier: Apache-2.0
"""The tables of keys in ``docs/configuration.md``, made from the schema. ``python -m tests.docs.keys`` renews them."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator

from fvhydra.config.root import Config
from fvhydra.config.schema import SCHEMAS, conf_dir
from tests.conftest import ROOT

DOCUMENT = ROOT / "docs" / "configuration.md"
BEGIN, END = "<!-- keys: made by python -m tests.docs.keys -->\n", "<!-- end of keys -->\n"


Rows = Iterator[tuple[str, "dataclasses.Field[typing.Any]"]]


def tables() -> str:
    """One table for the keys at the top, one for each group."""
    types = typing.get_type_hints(Config)
    groups = [field for field in dataclasses.fields(Config) if dataclasses.is_dataclass(types[field.name])]
    parts = ["### At the top\n", *_table((f"`{f.name}`", f) for f in dataclasses.fields(Config) if f not in groups)]
    for group in groups:
        rows = [*_fields(group.name, types[group.name]), *_choices(group.name, types[group.name])]
        parts += [f"\n### {group.name}\n", f"{group.metadata['help']}.\n", *_table(rows)]
    return "\n".join(parts) + "\n"


def written() -> str:
    """The tables as the document has them."""
    return DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]


def _fields(prefix: str, schema: type) -> Rows:
    types = typing.get_type_hints(schema)
    for field in dataclasses.fields(schema):
        kinds = (types[field.name], *typing.get_args(types[field.name]))
        nested = [kind for kind in kinds if dataclasses.is_dataclass(kind)]
        if nested and typing.get_origin(types[field.name]) is not list:
            yield from _fields(f"{prefix}.{field.name}", typing.cast(type, nested[0]))
        else:
            yield f"`{prefix}.{field.name}`", field


def _choices(group: str, base: type) -> Rows:
    """Keys that only some choices of the group have."""
    common = {field.name for field in dataclasses.fields(base)}
    for name, schema in SCHEMAS.get(f"schema/{group}", {}).items():
        is_word = (conf_dir() / group / f"{name}.yaml").is_file()
        choice = f"`{group}={name}`" if is_word else f"a {name}"
        for field in dataclasses.fields(schema):
            if field.name not in common:
                yield f"`{group}.{field.name}` with {choice}", field


def _table(rows: typing.Iterable[tuple[str, dataclasses.Field[typing.Any]]]) -> list[str]:
    lines = [f"| {key} | {_line(field)} |" for key, field in rows]
    return ["| key | |", "|---|---|", *lines]


def _line(field: dataclasses.Field[typing.Any]) -> str:
    typed = " (typed only)" if field.metadata["typed"] else ""
    return field.metadata["help"].replace("|", "\\|") + typed


if __name__ == "__main__":
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(text.replace(BEGIN + written() + END, BEGIN + tables() + END), encoding="utf-8")
