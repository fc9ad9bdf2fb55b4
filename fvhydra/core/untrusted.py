# SPDX-License-Identifier: Apache-2.0
"""Files that strangers may have written: run folders, records of jobs and changes, manifests, prompt files, arrays.

They are data, whatever they say, and they are read here and nowhere else: only regular files are opened, no more is
read than a bound that the message names, nesting ends, numbers are finite, types are checked, and a path of a record
stays in its folder. ``SECURITY.md`` says who is trusted with what.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, TypeVar

import pydantic
import yaml

from fvhydra.config.problems import first_problem
from fvhydra.core.errors import FvhydraError, UsageError
from fvhydra.core.files import PATH_BYTES, regular_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_T = TypeVar("_T")

RECORD_BYTES = 64 * 2**20
"""Largest record, prompt file or other text that is read as a whole."""
YAML_BYTES = 2**20
"""Largest YAML file."""
LINE_BYTES = 2**20
"""Longest line of a file that is read line by line; the file itself may be of any size."""
DEPTH = 64
"""Lists and objects inside each other."""
YAML_VALUES = 200_000
"""Values of a YAML file, each counted as often as its aliases repeat it."""
INTEGER_DIGITS = 19
"""Digits of an integer: those of 64 bits."""
ARRAY_BYTES = 2**30
"""All arrays of a file, in memory."""


# ---------------------------------------------------------------------------------------------------- bytes and text
def read_bytes(
    path: Path, what: str = "file", *, most_bytes: int = RECORD_BYTES, error: type[FvhydraError] = UsageError
) -> bytes:
    """Read a whole file that has an end.

    Args:
        path: The file; links are followed.
        what: What it is called in messages, as in "There is no file a.json."
        most_bytes: The largest size that is read.
        error: What is raised.

    Raises:
        FvhydraError: Of the given kind: it is missing, no regular file, larger, or cannot be read.
    """
    regular_file(path, what, most_bytes=most_bytes, error=error)
    with _reading(path, what, error), open(path, "rb") as stream:
        data = stream.read(most_bytes + 1)  # files in /proc have a size of 0, others may grow
    if len(data) > most_bytes:
        raise error(f"The {what} {path} has no end within {most_bytes:,} bytes, the most that is read.")
    return data


@contextlib.contextmanager
def _reading(path: Path, what: str, error: type[FvhydraError] = UsageError) -> Iterator[None]:
    """Turn what the system refuses while a file is read into one sentence."""
    try:
        yield
    except OSError as failure:
        raise error(f"The {what} {path} cannot be read: {failure.strerror}.") from failure


def read_text(
    path: Path, what: str = "file", *, most_bytes: int = RECORD_BYTES, error: type[FvhydraError] = UsageError
) -> str:
    """Read a whole file of UTF-8, with or without a byte order mark. Raises like :func:`read_bytes`."""
    return _decoded(read_bytes(path, what, most_bytes=most_bytes, error=error), f"{path}", error)


def read_lines(path: Path, what: str = "file") -> Iterator[tuple[int, bytes]]:
    """Read a file line by line: numbers, which begin at 1, and lines with the line breaks that end them.

    Raises:
        UsageError: It is missing, no regular file, or has a line of more than :data:`LINE_BYTES`.
    """
    size = regular_file(path, what)
    read = 0
    with _reading(path, what), open(path, "rb") as stream:
        for number in range(1, size + 2):
            line = stream.readline(LINE_BYTES + 1)
            read += len(line)
            if len(line) > LINE_BYTES:
                raise UsageError(f"{path} line {number} has more than {LINE_BYTES:,} bytes, the most that are read.")
            if not line or read > max(size, LINE_BYTES):
                return
            yield number, line


# ---------------------------------------------------------------------------------------------------------- JSON, YAML
def read_json(path: Path, what: str = "file") -> Any:
    """Read a JSON file. NaN and infinity, which are no JSON, are null: "not measured".

    Raises:
        UsageError: It is missing or not valid JSON, or beyond the bounds of this module.
    """
    return parse_json(read_text(path, what), str(path))


def parse_json(text: str | bytes, source: str, *, any_number: bool = False) -> Any:
    """The value of a JSON text, bounded.

    Args:
        source: Where it stands, for messages.
        any_number: Whether NaN and infinity stay what they are, for who names them as errors; otherwise null.

    Raises:
        UsageError: It is not valid JSON, is nested deeper than :data:`DEPTH`, or has an integer of more than 64 bits.
    """
    try:
        decoder = _ANY_NUMBER if any_number else _JSON
        value = decoder.decode(text if isinstance(text, str) else text.decode("utf-8-sig"))
    except RecursionError as error:
        raise _too_deep(source) from error
    except ValueError as error:
        raise UsageError(f"{source} is not valid JSON ({error}).") from error
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(DEPTH):
        parts = (outer.values() if isinstance(outer, dict) else outer for outer in level)
        level = [item for part in parts for item in part if isinstance(item, (dict, list))]
        if not level:
            return value
    raise _too_deep(source)


def read_yaml(path: Path, what: str = "file") -> Any:
    """Read a YAML file into plain values. Dates stay text; tags that would make objects are refused.

    Raises:
        UsageError: It is missing, no YAML, has a key twice, or is beyond the bounds of this module.
    """
    return parse_yaml(read_text(path, what, most_bytes=YAML_BYTES), str(path))


def parse_yaml(text: str, source: str) -> Any:
    """The value of a YAML text, bounded; ``source`` says in messages where it stands. Raises as :func:`read_yaml`."""
    try:
        _refuse_nesting(text, source)
        loader = _Yaml(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _refuse_repetition(node, source)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError) as error:
        raise UsageError(f"{source} is not valid YAML ({' '.join(str(error).split())}).") from error


def typed(kind: type[_T], value: Any, wrong: str, hint: str = "") -> _T:
    """``value``, which was read, as the type ``kind`` (a dataclass, ``list[...]``), every part of it checked.

    Args:
        kind: What it must be.
        value: JSON types.
        wrong: Begins the message, as in "a.json is not a change of this version".
        hint: The next thing to do.

    Raises:
        UsageError: It is none.
    """
    try:
        checked: _T = _adapter(kind).validate_python(value)  # type: ignore[arg-type]  # a type is hashable
    except pydantic.ValidationError as error:
        raise UsageError(f"{wrong}: {first_problem(error)}.", hint) from error
    return checked


# --------------------------------------------------------------------------------------------------------------- paths
def inside(folder: Path, relative: str) -> Path:
    """The file that a record of ``folder`` names by its relative path.

    Raises:
        UsageError: It is no path, or leads out of the folder, by ``..`` or by a link.
    """
    try:
        name = os.fsencode(relative)
        long = len(name) > PATH_BYTES or any(len(part) > 255 for part in name.split(b"/"))
        whole = None if long or b"\0" in name else (folder / relative).resolve()
    except (UnicodeEncodeError, OSError, RuntimeError):  # RuntimeError: links in a circle
        whole = None
    if whole is None:
        shown = relative if len(relative) <= 80 else f"{relative[:80]}..."
        raise UsageError(f"{folder} names a file by what is no path ({shown!r}); it was damaged or tampered with.")
    if not whole.is_relative_to(folder.resolve()):
        raise UsageError(f"{folder} names a file outside of itself ({relative!r}); it was tampered with.")
    return folder / relative


# -------------------------------------------------------------------------------------------------------------- arrays
def read_array(path: Path, what: str = "array", *, mapped: bool = False) -> NDArray[Any]:
    """Read a ``.npy`` of numbers, truth values or text.

    Args:
        path: The file.
        what: What it is called in messages.
        mapped: Leave it on the disk, read-only, instead of in memory; then there is no bound.

    Raises:
        UsageError: It is missing, damaged, holds anything else, or more than :data:`ARRAY_BYTES`.
    """
    import numpy as np

    size = regular_file(path, what, most_bytes=None if mapped else ARRAY_BYTES)
    with _damage(path, what), open(path, "rb") as stream:
        _check_npy(stream, size)
        return np.asarray(np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False))


def read_arrays(path: Path, what: str = "arrays") -> dict[str, NDArray[np.generic]]:
    """Read an ``.npz`` of numbers, truth values or text. Raises like :func:`read_array`."""
    import numpy as np

    regular_file(path, what, most_bytes=ARRAY_BYTES)
    with _damage(path, what), zipfile.ZipFile(path) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > ARRAY_BYTES:
            raise UsageError(f"The {what} {path} unpack to {unpacked:,} bytes; at most {ARRAY_BYTES:,} are read.")
        found: dict[str, NDArray[np.generic]] = {}
        for entry in archive.infolist():
            with archive.open(entry) as stream:
                shape, in_columns, dtype = _check_npy(stream, entry.file_size)
                flat = np.frombuffer(bytearray(stream.read()), dtype)
            name = entry.filename.removesuffix(".npy")
            found[name] = flat.reshape(shape, order="F" if in_columns else "C")
        return found


def _check_npy(stream: IO[bytes], size: int) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and dtype of an array that begins here, once they say that it ends after ``size`` bytes."""
    from numpy.lib import format as npy

    headers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    shape, in_columns, dtype = headers[npy.read_magic(stream)](stream)
    if dtype.kind not in "biufcSU":
        raise ValueError(f"its values are {dtype}, neither numbers nor text")
    told = stream.tell() + math.prod(shape) * dtype.itemsize
    if told != size or any(length < 0 for length in shape):
        raise ValueError(f"its header tells of {told:,} bytes, and it has {size:,}")
    return shape, in_columns, dtype


class _damage:
    """Anything that a damaged file makes numpy and zipfile raise, as one sentence."""

    def __init__(self, path: Path, what: str) -> None:
        self._path, self._what = path, what

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if isinstance(error, Exception) and not isinstance(error, FvhydraError):
            because = f"{type(error).__name__}: {error}"
            raise UsageError(f"The {self._what} {self._path} cannot be read ({because}).") from error


# ------------------------------------------------------------------------------------------------------------- inwards
def _decoded(data: bytes, source: str, error: type[FvhydraError]) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        raise error(f"{source} is not UTF-8 text ({failure.reason} at byte {failure.start}).") from failure


def _integer(text: str) -> int:
    if len(text) > INTEGER_DIGITS + text.startswith("-"):
        raise ValueError(f"an integer of {len(text)} digits; at most {INTEGER_DIGITS} are read")
    return int(text)


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


_JSON = json.JSONDecoder(parse_int=_integer, parse_float=_finite, parse_constant=lambda _: None)
_ANY_NUMBER = json.JSONDecoder(parse_int=_integer)


def _too_deep(source: str) -> UsageError:
    return UsageError(f"{source} is nested deeper than {DEPTH} levels, the most that are read.")


@functools.cache
def _adapter(kind: Any) -> pydantic.TypeAdapter[Any]:
    return pydantic.TypeAdapter(kind)  # a sweep reads a thousand


class _Yaml(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Plain values only, no dates, no key twice."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
        if twice := next((key for key in keys if keys.count(key) > 1), None) if len(set(keys)) < len(keys) else None:
            raise yaml.constructor.ConstructorError(None, None, f"the key {twice!r} is there twice", node.start_mark)
        return super().construct_mapping(node, deep)


def _refuse_nesting(text: str, source: str) -> None:
    """Follow the brackets only: libyaml makes nodes of them by a recursion that nothing but the stack ends."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_Yaml)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH:
            raise _too_deep(source)
        if count > 2 * YAML_VALUES:
            raise _too_many(source)


def _refuse_repetition(root: yaml.Node, source: str) -> None:
    """Refuse aliases that make a small file large, before anything is made of them."""
    count, level = 0, [root]
    for _ in range(DEPTH + 1):
        inner: list[yaml.Node] = []
        for node in level:
            if isinstance(node, yaml.CollectionNode):
                pairs = isinstance(node, yaml.MappingNode)
                inner += [part for pair in node.value for part in pair] if pairs else node.value
            if count + len(inner) > YAML_VALUES:
                raise _too_many(source)
        count, level = count + len(inner), inner
        if not level:
            return
    raise _too_deep(source)


def _too_many(source: str) -> UsageError:
    return UsageError(f"{source} has more than {YAML_VALUES:,} values, counted as often as aliases repeat them.")
