# SPDX-License-Identifier: Apache-2.0
"""What strangers wrote is data within bounds: no file hangs, exhausts the memory, runs code or leaves its folder."""

from __future__ import annotations

import io
import itertools
import json
import os
import zipfile
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
