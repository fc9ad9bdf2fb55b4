# SPDX-License-Identifier: Apache-2.0
"""Files are whole or not there."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import math
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fvhydra.core import files
from fvhydra.core.errors import MediaError, UsageError
from fvhydra.core.verdict import Verdict


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    files.write_json(target, {"old": 1})
    with pytest.raises(RuntimeError), files.atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError("killed")
    assert json.loads(target.read_text()) == {"old": 1}
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    with pytest.raises(UsageError, match=r"No space left .*a\.bin"), files.atomic_path(target):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert os.listdir(tmp_path) == []


def test_a_folder_below_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="Cannot write"):
        files.write_text(tmp_path / "file" / "a.txt", "y")


def test_nan_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        files.write_json(tmp_path / "a.json", {"x": math.nan})
    assert os.listdir(tmp_path) == []


def test_canonical_json_does_not_depend_on_order() -> None:
    assert files.canonical_json({"b": (1, 2), "a": "é"}) == files.canonical_json({"a": "é", "b": [1, 2]})
    assert files.canonical_json({"a": "é"}) == '{"a":"\\u00e9"}'


def test_a_folder_that_cannot_be_made_is_one_sentence() -> None:
    with pytest.raises(UsageError, match=r"Cannot write /proc/none/a\.txt"):
        files.write_text(Path("/proc/none/a.txt"), "y")


def test_a_missing_source_is_not_blamed_on_the_target(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        files.copy(tmp_path / "none", tmp_path / "target")


def test_bytes_that_are_no_text_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not UTF-8 text"):
        files.write_json(tmp_path / "a.json", {"prompt": "a\udce9"})
    assert os.listdir(tmp_path) == []


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("12345")
    (tmp_path / "link").symlink_to("a.txt")
    assert files.regular_file(tmp_path / "a.txt", most_bytes=5) == 5
    assert files.regular_file(tmp_path / "link") == 5
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    for path, says in (
        (tmp_path / "fifo", "is a FIFO"),
        (tmp_path, "is a folder"),
        (Path("/dev/zero"), "is a device"),
        (tmp_path / "none", "There is no clip"),
        (tmp_path / "a.txt" / "b", "cannot be looked at"),
        (tmp_path / "loop", "cannot be looked at"),
        (tmp_path / "a\0b", "cannot be looked at"),
        (tmp_path / "a\udc80\ud800b", "cannot be looked at"),
        (tmp_path / ("a" * 300), "cannot be looked at"),
    ):
        with pytest.raises(UsageError, match=says):
            files.regular_file(path, "clip")
    with pytest.raises(MediaError, match="has 5 bytes; at most 4 are read"):
        files.regular_file(tmp_path / "a.txt", most_bytes=4, error=MediaError)


def test_sets_have_one_order_in_every_process() -> None:
    script = (
        "from fvhydra.core.files import canonical_json; print(canonical_json({'a': {'x', 'y', 'z', 3, 1, (2, 'b')}}))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert printed == {'{"a":["x","y","z",1,3,[2,"b"]]}\n'}


SPACE = "Free some space, or move runtime.output_dir, runtime.cache_dir or store.path to another disk."
FOLDER = "Choose a folder that you may write to (runtime.output_dir, runtime.cache_dir or store.path)."


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_where_there_is_no_room_what_to_free_is_said(tmp_path: Path, code: int) -> None:
    with pytest.raises(UsageError) as refused, files.explained(tmp_path / "a"):
        raise OSError(code, "x")
    assert refused.value.message == f"{os.strerror(code)} while writing {tmp_path / 'a'}; nothing was half-written."
    assert refused.value.hint == SPACE


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR])
def test_what_the_system_refuses_is_said_with_what_to_choose(tmp_path: Path, code: int) -> None:
    with pytest.raises(UsageError) as refused, files.explained(tmp_path / "a"):
        raise OSError(code, "Because", "elsewhere")
    assert (refused.value.message, refused.value.hint) == (f"Cannot write {tmp_path / 'a'}: Because.", FOLDER)


def test_only_a_folder_on_the_way_that_is_not_there_is_about_the_path(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    for name in (path, path.parent, tmp_path):
        with pytest.raises(UsageError, match="Cannot write"), files.explained(path):
            raise OSError(errno.ENOENT, "No such file", str(name))
    for error in (
        OSError(errno.ENOENT, "No such file", str(tmp_path / "c")),
        OSError(errno.ENOENT, "x"),
        OSError(errno.EIO, "x", str(path)),
    ):
        with pytest.raises(OSError) as passed, files.explained(path):
            raise error
        assert passed.value is error


def test_a_file_is_readable_as_far_as_the_umask_allows_and_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.txt"
    old = os.umask(0o027)
    try:
        files.write_text(path, "\u00e9")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o640 and path.read_bytes() == b"\xc3\xa9"


def test_the_temporary_file_is_beside_its_target_with_the_extension_that_writers_look_at(tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    with files.atomic_path(target, suffix=".mp4") as temporary:
        assert temporary.parent == tmp_path and temporary.suffix == ".mp4" and temporary.name.startswith(".tmp-")
        assert not target.exists()
    assert target.read_bytes() == b""
    with files.atomic_path(tmp_path / "b") as temporary:
        assert temporary.suffix == ""


def test_what_is_renamed_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(os.readlink(f"/proc/self/fd/{number}")))
    files.write_bytes(tmp_path / "a", b"1")
    files.append_line(tmp_path / "log", "x")
    assert len(synced) == 2 and Path(synced[0]).name.startswith(".tmp-") and synced[1] == str(tmp_path / "log")


def test_json_is_for_people(tmp_path: Path) -> None:
    files.write_json(tmp_path / "a.json", {"b": "\u00e9", "a": [1, (2,)]})
    assert (tmp_path / "a.json").read_text() == '{\n  "b": "\u00e9",\n  "a": [\n    1,\n    [\n      2\n    ]\n  ]\n}\n'


def test_the_text_around_what_is_no_text_is_shown(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        files.write_text(tmp_path / "a", "0" + "1" * 20 + "\udce9" + "2" * 20 + "3")
    shown = "'" + "1" * 20 + "\\udce9" + "2" * 20 + "'"
    assert refused.value.message == f"Cannot write {tmp_path / 'a'}: {shown} is not UTF-8 text."
    with pytest.raises(UsageError, match=r"'01\\udce9' is not"):
        files.write_text(tmp_path / "a", "01\udce9")


def test_lines_are_added(tmp_path: Path) -> None:
    files.append_line(tmp_path / "log", "a\u00e9")
    files.append_line(tmp_path / "log", "b")
    assert (tmp_path / "log").read_bytes() == b"a\xc3\xa9\nb\n"
    with pytest.raises(UsageError, match=rf"Cannot write {tmp_path}: Is a directory"):
        files.append_line(tmp_path, "x")


def test_copies_and_hashes_are_of_the_bytes(tmp_path: Path) -> None:
    data = os.urandom((1 << 20) + 5)
    files.write_bytes(tmp_path / "a", data)
    files.copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == data
    assert files.sha256_file(tmp_path / "b") == files.sha256_bytes(data) == hashlib.sha256(data).hexdigest()


@dataclasses.dataclass
class _Record:
    path: Path
    inner: object


def test_values_become_json_types() -> None:
    assert files.plain(_Record(Path("a/b"), [_Record(Path("c"), None)])) == {
        "path": "a/b",
        "inner": [{"path": "c", "inner": None}],
    }
    assert files.plain({1: (2, {"b", "a"}), "k": frozenset({2, 10})}) == {"1": [2, ["a", "b"]], "k": [10, 2]}
    assert type(files.plain(Verdict.PASS)) is str and files.plain(_Record) is _Record
    assert files.plain({frozenset({1}): {(2, 1), (1, 2)}}) == {"frozenset({1})": [[1, 2], [2, 1]]}
    records = {_Frozen(2, 1), _Frozen(1, 2)}
    assert files.plain(records) == [{"b": 2, "a": 1}, {"b": 1, "a": 2}]  # as sorted keys order them
    assert files.canonical_json({"a": [1, 2.5, None, True]}) == '{"a":[1,2.5,null,true]}'
    with pytest.raises(ValueError):
        files.canonical_json([math.nan])


@dataclasses.dataclass(frozen=True)
class _Frozen:
    b: int
    a: int


def test_how_something_else_than_a_file_is_called(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for path, message in (
            (tmp_path, f"The file {tmp_path} is a folder; only regular files are read."),
            (tmp_path / "socket", f"The file {tmp_path / 'socket'} is a socket; only regular files are read."),
            (tmp_path / "none", f"There is no file {tmp_path / 'none'}."),
            (Path("/dev/null"), "The file /dev/null is a device, which may have no end; only regular files are read."),
            (tmp_path / ("a" * 300), f"The file '{tmp_path / ('a' * 300)}' cannot be looked at: File name too long."),
            (tmp_path / "a\0", f"The file {str(tmp_path / 'a') + chr(0)!r} cannot be looked at: embedded null byte."),
        ):
            with pytest.raises(UsageError) as refused:
                files.regular_file(path)
            assert refused.value.message == message.replace("a\0'", "a\\x00'")
    (tmp_path / "a").write_bytes(b"x" * 1001)
    with pytest.raises(UsageError) as refused:
        files.regular_file(tmp_path / "a", "clip", most_bytes=1000)
    assert refused.value.message == f"The clip {tmp_path / 'a'} has 1,001 bytes; at most 1,000 are read."
    assert files.regular_file(tmp_path / "a", most_bytes=1001) == 1001


def test_a_path_that_none_can_have_is_one_sentence() -> None:
    assert files.given_path("~") == Path.home()
    assert files.given_path("a/" * 100) == Path("a/" * 100)
    for text, why in (
        ("~nobody-here/x", "nobody of that name has a home here"),
        ("a" * 256, "more than 255 bytes"),
        ("a/" * 2100, "more than 255 bytes"),
        ("a\0b", "holds a NUL"),
        ("\ud800", "half of a surrogate pair"),
    ):
        with pytest.raises(UsageError, match=why):
            files.given_path(text)


def test_a_folder_of_copies_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    sources = {"deep/er/a.json": tmp_path / "a", "b.json": tmp_path / "gone"}
    with pytest.raises(OSError, match="gone"):
        files.copy_all(sources, tmp_path / "made" / "copies")
    assert list((tmp_path / "made").iterdir()) == []
    files.copy_all({"deep/er/a.json": tmp_path / "a"}, tmp_path / "made" / "copies")
    assert (tmp_path / "made" / "copies" / "deep" / "er" / "a.json").read_text() == "a"
    files.copy_all({}, tmp_path / "empty")
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_copy_that_can_be_had_again_does_not_wait_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr("os.fsync", synced.append)
    with files.atomic_path(tmp_path / "a", durable=False) as temporary:
        temporary.write_text("a")
    assert not synced and (tmp_path / "a").read_text() == "a"
    with files.atomic_path(tmp_path / "b") as temporary:
        temporary.write_text("b")
    assert len(synced) == 1
