# SPDX-License-Identifier: Apache-2.0
"""``ports/<family>.yaml``: a person's text, and below a line the evidence that runs add.

What is above the line is never rewritten, so comments and order stay as they are.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from fvhydra.config.problems import nearest, short
from fvhydra.core import files, untrusted
from fvhydra.core.errors import UsageError
from fvhydra.core.lock import alone_with
from fvhydra.core.port import AFTER_COMPONENTS, UNFILLED, UNKNOWN, Port, Proof

LINE = "# --- Evidence: op=smoke, op=parity and op=generate write what follows; what is above is yours. ---\n"

_HINT = "The keys are explained in docs/ports.md."
_KIND = "state file of a port"


def port_path(folder: Path, family: str) -> Path:
    """Where the state of a family's port is.

    Raises:
        UsageError: The family's name could be no file's.
    """
    try:
        untrusted.typed(Port, {"model_family": family}, "")
    except UsageError as error:
        raise UsageError(f"model.family={short(family)} can have no state file{error.message}") from error
    return folder / f"{family}.yaml"


def read_port(path: Path) -> Port:
    """Read the state of a port.

    Raises:
        UsageError: There is none, or it is no such state: names the key, and what is allowed.
    """
    text = untrusted.read_text(path, _KIND, most_bytes=untrusted.YAML_BYTES)
    return _checked(path, untrusted.parse_yaml(text, str(path)))


def unfilled(path: Path) -> list[str]:
    """Keys of any YAML file that a person has not filled in, dotted; those that are only ``unknown`` too."""
    return list(_unfilled(untrusted.read_yaml(path)))


def keep_evidence(path: Path, gates: Mapping[str, Proof]) -> None:
    """Add what a run showed of components, ``smoke``, ``parity`` or ``example``. Of several writers none is lost.

    Raises:
        UsageError: The file is no state of a port, or cannot be written; it stays as it was.
    """
    with alone_with(path):
        text = untrusted.read_text(path, _KIND, most_bytes=untrusted.YAML_BYTES)
        written, line, _ = text.partition(LINE)
        values = untrusted.parse_yaml(text, str(path))
        port = _checked(path, values)
        above = untrusted.parse_yaml(written, str(path)) or {}
        evidence = port.evidence
        if "evidence" in above or (line and values.keys() - above.keys() - {"evidence"}):
            raise UsageError(
                f"{path}: only evidence may be below its line, and nowhere else.",
                f"Move it. The line is: {LINE.strip()}",
            )
        for gate, proof in gates.items():
            if gate in AFTER_COMPONENTS:
                setattr(evidence, gate, proof)
            else:
                evidence.components[gate] = proof
        kept = {key: value for key, value in files.plain(evidence).items() if value}
        dumped = yaml.safe_dump({"evidence": kept}, sort_keys=False, allow_unicode=True, width=110)
        whole = f"{written}{'' if line or written.endswith(chr(10)) else chr(10)}{LINE}{dumped}"
        if untrusted.parse_yaml(whole, str(path)) != above | {"evidence": kept}:
            raise UsageError(f"{path}: what is below its last line would be read otherwise.", "End the document there.")
        files.write_text(path, whole)


def _checked(path: Path, values: Any) -> Port:
    wrong = f"{path} is no state of a port"
    if not isinstance(values, dict):
        raise UsageError(f"{wrong}: it must hold keys such as model_family and components.", _HINT)
    for key, allowed in _unknown(Port, values, ""):
        name = key.rpartition(".")[2]
        raise UsageError(f"{wrong}: there is no key {key}.{nearest(name, allowed)}", f"Allowed: {', '.join(allowed)}.")
    port = untrusted.typed(Port, _without_marks(values), wrong, _HINT)
    if port.model_family != path.stem:
        raise UsageError(f"{wrong}: model_family is {port.model_family}, and the file's name {path.stem}.", _HINT)
    gates = port.gates()
    names = [part.name for part in port.components]
    if twice := [name for name in names if names.count(name) > 1 or name in AFTER_COMPONENTS]:
        raise UsageError(f"{wrong}: components: {twice[0]} is there twice, or is the name of a gate.", _HINT)
    for key, issue in port.issues.items():
        if strange := [name for name in issue.blocks if name not in gates]:
            raise UsageError(f"{wrong}: issues.{key}.blocks: {strange[0]} must be one of {', '.join(gates)}.", _HINT)
    for key, hatch in port.escape_hatches.items():
        if hatch.issue is not None and hatch.issue not in port.issues:
            raise UsageError(f"{wrong}: escape_hatches.{key}.issue: there is no issue {hatch.issue}.", _HINT)
    return port


def _unknown(kind: Any, value: Any, prefix: str) -> Iterator[tuple[str, list[str]]]:
    """Keys that a dataclass does not have, with those that it has, all the way down."""
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        known = typing.get_type_hints(kind)
        for key, part in value.items():
            if key in known:
                yield from _unknown(known[key], part, f"{prefix}{key}.")
            else:
                yield f"{prefix}{key if isinstance(key, str) else short(key)}", [*known]
        return
    inner = typing.get_args(kind)
    if typing.get_origin(kind) is types.UnionType:
        for each in inner:
            yield from _unknown(each, value, prefix)
    elif isinstance(value, dict) and inner:
        for key, part in value.items():
            yield from _unknown(inner[1], part, f"{prefix}{key}.")
    elif isinstance(value, list) and inner:
        for position, part in enumerate(value):
            yield from _unknown(inner[0], part, f"{prefix}{position}.")


def _without_marks(value: Any) -> Any:
    """Without what is not filled in, which has the type of nothing."""
    if isinstance(value, dict):
        return {key: _without_marks(part) for key, part in value.items() if part != UNFILLED}
    return [_without_marks(part) for part in value if part != UNFILLED] if isinstance(value, list) else value


def _unfilled(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _unfilled(part, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for position, part in enumerate(value):
            yield from _unfilled(part, f"{key}.{position}")
    elif value == UNFILLED:
        yield key
    elif value == UNKNOWN:
        yield f"{key} (add to {UNKNOWN} where you looked)"
