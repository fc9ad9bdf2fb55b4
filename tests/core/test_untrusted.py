# SPDX-License-Identifier: Apache-2.0
"""What strangers wrote is data within bounds: no file hangs, exhausts the memory, runs code or leaves its folder."""

from __future__ import annotations

import io
import itertools
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from fvhydra.core import untrusted
from fvhydra.core.errors import StoreError, UsageError


def test_json_that_is_not_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(UsageError, match=r"a\.json is not valid JSON"):
        untrusted.read_json(tmp_path / "a.json")
    with pytest.raises(UsageError, match="There is no file"):
        untrusted.read_json(tmp_path / "b.json")


def test_a_byte_order_mark_is_no_part_of_json(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf[1]")
    assert untrusted.read_json(tmp_path / "a.json") == [1]


def test_json_beyond_the_bounds_is_named(tmp_path: Path) -> None:
    for text, says in (
        ("[" * 100_000, "nested deeper than 64"),
        ("[" * 65 + "]" * 65, "nested deeper than 64"),
        ('{"a":' * 65 + "1" + "}" * 65, "nested deeper than 64"),
        ("9" * 20, "an integer of 20 digits; at most 19"),
        ("[-" + "9" * 4000 + "]", "at most 19"),
        ('"\xff"', "not UTF-8"),
    ):
        (tmp_path / "a.json").write_text(text, encoding="latin-1")
        with pytest.raises(UsageError, match=says):
            untrusted.read_json(tmp_path / "a.json")
    nested = "[" * 64 + "]" * 64
    assert untrusted.parse_json(nested, "a") == json.loads(nested)
    assert untrusted.parse_json("[-9223372036854775808]", "a") == [-(2**63)]


def test_numbers_that_are_none_are_null() -> None:
    assert untrusted.parse_json('[NaN, -Infinity, 1e999, -1e999, 1e300, "NaN"]', "a") == [None] * 4 + [1e300, "NaN"]


def test_files_without_an_end_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path, says in ((tmp_path / "fifo", "FIFO"), (Path("/dev/zero"), "device"), (tmp_path, "folder")):
        for read in (untrusted.read_json, untrusted.read_yaml, untrusted.read_array, untrusted.read_arrays):
            with pytest.raises(UsageError, match=says):
                read(path)
        with pytest.raises(UsageError, match=says):
            list(untrusted.read_lines(path))
    (tmp_path / "a").write_text("12345")
    with pytest.raises(StoreError, match="has 5 bytes; at most 4"):
        untrusted.read_bytes(tmp_path / "a", most_bytes=4, error=StoreError)
    with pytest.raises(UsageError, match="no end within 10 bytes"):  # its size is 0
        untrusted.read_bytes(Path("/proc/self/status"), most_bytes=10)
    monkeypatch.setattr(untrusted, "LINE_BYTES", 4)
    with pytest.raises(UsageError, match="line 1 has more than 4 bytes"):
        list(untrusted.read_lines(tmp_path / "a"))


def test_lines_keep_their_breaks_and_numbers(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a\n\nb\xff")
    assert list(untrusted.read_lines(tmp_path / "a")) == [(1, b"a\n"), (2, b"\n"), (3, b"b\xff")]
    (tmp_path / "a").write_bytes(b"")
    assert list(untrusted.read_lines(tmp_path / "a")) == []


def test_yaml_is_plain_and_bounded(tmp_path: Path) -> None:
    tenfold = [f"{key}: &{key} [{', '.join(['*' + before] * 10)}]" for before, key in itertools.pairwise("abcdefgh")]
    merged = [
        f"{key}: &{key} {{<<: [{', '.join(['*' + before] * 10)}]}}" for before, key in itertools.pairwise("abcdefgh")
    ]
    for text, says in (
        ("\n".join(["a: &a [x]", *tenfold]), "more than 200,000 values"),
        ("\n".join(["a: &a {x: 1}", *merged]), "more than 200,000 values"),
        ("- x\n" * 200_001, "more than 200,000 values"),
        ("&a [*a]", "nested deeper than 64"),
        ("[" * 500_000, "nested deeper than 64"),  # libyaml overflows the stack
        ("- " * 500_000, "nested deeper than 64"),
        ("!!python/object/apply:os.getcwd []", "not valid YAML"),
        ("{a: 1, a: 2}", "the key 'a' is there twice"),
        ("a: " + "9" * 5000, "not valid YAML"),
        ("{[1]: 2}", "not valid YAML"),
        ("{", "not valid YAML"),
        ("# " + "x" * 2**20, "has 1,048,578 bytes; at most 1,048,576"),
    ):
        (tmp_path / "a.yaml").write_text(text)
        with pytest.raises(UsageError, match=says):
            untrusted.read_yaml(tmp_path / "a.yaml")
    (tmp_path / "a.yaml").write_text("- &one {text: 2024-01-01, samples: 3}\n- *one\n- {<<: *one, samples: 4}")
    first = {"text": "2024-01-01", "samples": 3}
    assert untrusted.read_yaml(tmp_path / "a.yaml") == [first, first, {**first, "samples": 4}]
    (tmp_path / "a.yaml").write_text("")
    assert untrusted.read_yaml(tmp_path / "a.yaml") is None


@dataclass
class _Record:
    name: str
    sizes: list[int]


def test_a_record_has_its_type() -> None:
    assert untrusted.typed(_Record, {"name": "a", "sizes": [1]}, "a.json is no record") == _Record("a", [1])
    with pytest.raises(UsageError, match=r"a\.json is no record: sizes\.0"):
        untrusted.typed(_Record, {"name": "a", "sizes": [[1]]}, "a.json is no record")


def test_a_path_of_a_record_stays_in_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "out").symlink_to(tmp_path)
    (folder / "round").symlink_to("round")
    assert untrusted.inside(folder, "a/b") == folder / "a" / "b"
    for path in ("../a", "/etc/passwd", "a/../../b", "out/a"):
        with pytest.raises(UsageError, match="outside of itself"):
            untrusted.inside(folder, path)
    for path in ("a\0b", "a\ud800", "a" * 300, "a/" * 3000, "round/a"):
        with pytest.raises(UsageError, match="no path"):
            untrusted.inside(folder, path)


def test_arrays_come_back(tmp_path: Path) -> None:
    columns = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    np.save(tmp_path / "a.npy", columns)
    np.savez(tmp_path / "a.npz", a=columns, b=np.array([True]), empty=np.zeros((0, 2), np.float32))
    for mapped in (False, True):
        assert (untrusted.read_array(tmp_path / "a.npy", mapped=mapped) == columns).all()
    found = untrusted.read_arrays(tmp_path / "a.npz")
    assert sorted(found) == ["a", "b", "empty"]
    assert (found["a"] == columns).all() and found["b"].tolist() == [True] and found["empty"].shape == (0, 2)


def _npy(header: str) -> bytes:
    padded = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY\x01\x00",
        _npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000)}"),
        _npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -1)}") + b"1234",
        _npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}") + b"12345678",
        _npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}") + b"1234",
        _npy("{'descr': '<f4', 'fortran_order': False, 'shape': (" + "(" * 5000),
        _npy("__import__('os').abort()"),
        _npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}") + b"12345678",
    ],
)
def test_arrays_with_lying_headers_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.npy").write_bytes(data)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.npy", data)
    (tmp_path / "a.npz").write_bytes(packed.getvalue())
    for mapped in (False, True):
        with pytest.raises(UsageError, match="cannot be read"):
            untrusted.read_array(tmp_path / "a.npy", mapped=mapped)
    with pytest.raises(UsageError, match="cannot be read"):
        untrusted.read_arrays(tmp_path / "a.npz")


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(1_000_000))
    monkeypatch.setattr(untrusted, "ARRAY_BYTES", 1_000_000)
    with pytest.raises(UsageError, match="unpack to 8,000,128 bytes; at most 1,000,000"):
        untrusted.read_arrays(tmp_path / "a.npz")


def _refused(read: Callable[..., object], *given: object, **named: object) -> UsageError:
    with pytest.raises(UsageError) as refused:
        read(*given, **named)
    return refused.value


def _all_lines(*given: object) -> list[object]:
    return list(untrusted.read_lines(*given))  # type: ignore[arg-type]


def test_what_a_file_is_called_is_in_each_message(tmp_path: Path) -> None:
    none = tmp_path / "none"
    for read, usual in (
        (untrusted.read_bytes, "file"),
        (untrusted.read_text, "file"),
        (_all_lines, "file"),
        (untrusted.read_json, "file"),
        (untrusted.read_yaml, "file"),
        (untrusted.read_array, "array"),
        (untrusted.read_arrays, "arrays"),
    ):
        assert _refused(read, none).message == f"There is no {usual} {none}."
        assert _refused(read, none, "clip").message == f"There is no clip {none}."


def test_bounds_are_said_with_what_is_there_and_what_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 2000)
    most = f"The file {path} has 2,000 bytes; at most 1,999 are read."
    assert _refused(untrusted.read_bytes, path, most_bytes=1999).message == most
    assert _refused(untrusted.read_text, path, most_bytes=1999).message == most
    assert untrusted.read_bytes(path, most_bytes=2000) == b"x" * 2000
    assert untrusted.read_text(path, most_bytes=2000) == "x" * 2000
    status = Path("/proc/self/status")
    endless = "The clip /proc/self/status has no end within 1,000 bytes, the most that is read."
    assert _refused(untrusted.read_bytes, status, "clip", most_bytes=1000).message == endless
    with pytest.raises(StoreError, match="no end within"):
        untrusted.read_text(status, most_bytes=10, error=StoreError)
    for name, read in (("ARRAY_BYTES", untrusted.read_array), ("ARRAY_BYTES", untrusted.read_arrays)):
        monkeypatch.setattr(untrusted, name, 1999)
        assert "has 2,000 bytes; at most 1,999 are read." in _refused(read, path).message


def test_what_cannot_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("x")

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", denied)
    with pytest.raises(StoreError) as refused:
        untrusted.read_bytes(tmp_path / "a", "token", error=StoreError)
    assert refused.value.message == f"The token {tmp_path / 'a'} cannot be read: Permission denied."


def test_what_is_no_text_is_said_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc\xff")
    message = f"{tmp_path / 'a'} is not UTF-8 text (invalid start byte at byte 3)."
    assert _refused(untrusted.read_text, tmp_path / "a").message == message
    with pytest.raises(StoreError, match="not UTF-8"):
        untrusted.read_text(tmp_path / "a", error=StoreError)
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbf\xc3\xa9")
    assert untrusted.read_text(tmp_path / "a") == "\u00e9"


def test_a_line_may_be_as_long_as_the_bound_and_a_file_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(untrusted, "LINE_BYTES", 4)
    path = tmp_path / "a"
    path.write_bytes(b"abc\nabcd")
    assert _all_lines(path) == [(1, b"abc\n"), (2, b"abcd")]
    path.write_bytes(b"\n" * 9)
    assert _all_lines(path) == [(number, b"\n") for number in range(1, 10)]
    path.write_bytes(b"a\nabcde")
    assert _refused(_all_lines, path).message == f"{path} line 2 has more than 4 bytes, the most that are read."
    monkeypatch.setattr(untrusted, "LINE_BYTES", 1000)
    path.write_bytes(b"x" * 1001)
    assert _refused(_all_lines, path).message == f"{path} line 1 has more than 1,000 bytes, the most that are read."


def test_a_file_that_grows_is_read_to_where_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(untrusted, "LINE_BYTES", 4)
    path = tmp_path / "a"
    path.write_bytes(b"a\nb\nc\n")
    reader, read = untrusted.read_lines(path), []
    for _, line in reader:
        read.append(line)
        with open(path, "ab") as growing:
            growing.write(b"x\n" * 1000)
    assert read == [b"a\n", b"b\n", b"c\n"]


def test_where_json_stands_is_said() -> None:
    for text in ("[" * 65 + "]" * 65, "[" * 100_000):
        said = "here is nested deeper than 64 levels, the most that are read."
        assert _refused(untrusted.parse_json, text, "here").message == said
    assert _refused(untrusted.parse_json, "9" * 20, "here").message == (
        "here is not valid JSON (an integer of 20 digits; at most 19 are read)."
    )
    assert untrusted.parse_json(b"\xef\xbb\xbf[1]", "here") == [1]
    assert untrusted.parse_json("9" * 19, "here") == int("9" * 19)
    assert untrusted.parse_json("1.5", "here") == 1.5 and untrusted.parse_json('{"a": null}', "here") == {"a": None}


def test_why_yaml_is_none_is_one_line_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("- {a: 1, b: 2, b: 3}\n")
    message = _refused(untrusted.read_yaml, path).message
    assert message.startswith(f"{path} is not valid YAML (the key 'b' is there twice") and "\n" not in message
    assert "line 1, column 3" in message and "  " not in message
    for text in ("[" * 65 + "]" * 65, "&a [*a]"):
        path.write_text(text)
        said = f"{path} is nested deeper than 64 levels, the most that are read."
        assert _refused(untrusted.read_yaml, path).message == said
    path.write_text("[" * 64 + "]" * 64)
    assert untrusted.read_yaml(path) == json.loads("[" * 64 + "]" * 64)
    path.write_text("a: {<<: [{x: 1}, {y: 2}], <<: {z: 3}}\n")
    assert untrusted.read_yaml(path) == {"a": {"x": 1, "y": 2, "z": 3}}


def test_the_most_values_of_a_yaml_file_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(untrusted, "YAML_VALUES", 6)
    path = tmp_path / "a.yaml"
    path.write_text("a: &a [x, y]\nb: z\n")
    assert untrusted.read_yaml(path) == {"a": ["x", "y"], "b": "z"}  # two keys, a list, two values in it, one beside it
    for text in ("a: &a [x, y, w]\nb: z\n", "a: &a [x, y]\nb: *a\n", "[" + "1," * 12 + "]"):
        path.write_text(text)
        said = f"{path} has more than 6 values, counted as often as aliases repeat them."
        assert _refused(untrusted.read_yaml, path).message == said


def test_what_to_do_about_a_wrong_record_is_said() -> None:
    for given, hint in (((), ""), (("Make it again.",), "Make it again.")):
        refused = _refused(untrusted.typed, _Record, {"name": 1, "sizes": []}, "It is no record", *given)
        assert refused.message == "It is no record: name is 1: Input should be a valid string." and refused.hint == hint


def test_a_path_may_be_as_long_as_the_system_lets_it(tmp_path: Path) -> None:
    name = "a" * 255
    for longest in (name, f"{name}/{name}", "/".join([name] * 3)):
        assert untrusted.inside(tmp_path, longest) == tmp_path / longest
    for long in ("a" * 256, f"{name}/{'a' * 256}", "é" * 128):
        refused = _refused(untrusted.inside, tmp_path, long)
        shown = f"{long[:80]}..."
        assert refused.message == (
            f"{tmp_path} names a file by what is no path ({shown!r}); it was damaged or tampered with."
        )
    assert "('a\\x00" + "b" * 78 + "')" in _refused(untrusted.inside, tmp_path, "a\0" + "b" * 78).message
    assert "('a\\x00" + "b" * 78 + "...')" in _refused(untrusted.inside, tmp_path, "a\0" + "b" * 79).message
    outside = f"{tmp_path} names a file outside of itself ('../x'); it was tampered with."
    assert _refused(untrusted.inside, tmp_path, "../x").message == outside


def test_the_longest_path_counts_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(untrusted, "PATH_BYTES", 4)
    assert untrusted.inside(tmp_path, "éé") == tmp_path / "éé"
    assert "no path ('ééa')" in _refused(untrusted.inside, tmp_path, "ééa").message


def test_an_array_is_in_memory_unless_it_is_to_stay_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.npy"
    for values in (np.arange(4), np.array(["a", "bc"]), np.array([b"a"]), np.array([1j]), np.array([True])):
        np.save(path, values)
        read = untrusted.read_array(path)
        assert read.flags.writeable and (read == values).all() and read.dtype == values.dtype
        assert not untrusted.read_array(path, mapped=True).flags.writeable
    monkeypatch.setattr(untrusted, "ARRAY_BYTES", 10)
    assert untrusted.read_array(path, mapped=True).tolist() == [True]  # no bound
    assert "at most 10 are read" in _refused(untrusted.read_array, path).message


def test_arrays_keep_their_order_and_the_second_version_of_the_header_is_read(tmp_path: Path) -> None:
    rows = np.arange(6.0).reshape(2, 3)
    np.savez(tmp_path / "a.npz", rows=rows, columns=np.asfortranarray(rows))
    found = untrusted.read_arrays(tmp_path / "a.npz")
    assert (found["rows"] == rows).all() and (found["columns"] == rows).all()
    assert found["columns"].flags.f_contiguous and found["rows"].flags.c_contiguous
    with open(tmp_path / "b.npy", "wb") as stream:
        np.lib.format.write_array(stream, rows, version=(2, 0))
    assert (untrusted.read_array(tmp_path / "b.npy") == rows).all()


def test_why_an_array_is_refused_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.npy"
    header = "{'descr': '%s', 'fortran_order': False, 'shape': (1000,)}"
    numbers = _npy(header % "<f4")
    for data, because in (
        (_npy(header % "|O"), "its values are object, neither numbers nor text"),
        (numbers, f"its header tells of {len(numbers) + 4000:,} bytes, and it has {len(numbers)}"),
        (
            numbers + b"x" * 4001,
            f"its header tells of {len(numbers) + 4000:,} bytes, and it has {len(numbers) + 4001:,}",
        ),
    ):
        path.write_bytes(data)
        message = f"The clip {path} cannot be read (ValueError: {because})."
        assert _refused(untrusted.read_array, path, "clip").message == message
    path = tmp_path / "a.npz"
    path.write_bytes(b"no archive")
    message = f"The clips {path} cannot be read (BadZipFile: File is not a zip file)."
    assert _refused(untrusted.read_arrays, path, "clips").message == message
    np.savez_compressed(path, a=np.zeros(1000))
    monkeypatch.setattr(untrusted, "ARRAY_BYTES", 8128)
    assert untrusted.read_arrays(path)["a"].shape == (1000,)
    monkeypatch.setattr(untrusted, "ARRAY_BYTES", 8127)
    message = f"The clips {path} unpack to 8,128 bytes; at most 8,127 are read."
    assert _refused(untrusted.read_arrays, path, "clips").message == message
