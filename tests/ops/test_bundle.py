# SPDX-License-Identifier: Apache-2.0
"""``op=bundle``: an archive is whole, the same every time, opens elsewhere, and one of a stranger's does no harm."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import random
import re
import shutil
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest
import zstandard

from fvhydra.core import files
from fvhydra.core.errors import UsageError
from fvhydra.core.result import RunResult
from fvhydra.core.run import RunFolder
from fvhydra.core.verdict import Verdict
from fvhydra.ops.unbundle import unpack, verify
from tests.conftest import Cli

MOST = 10**9

FORMATS = ("zip", "tar.gz", "tar.zst")


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "outputs" / "a run")
    folder.start(op="generate", model="ltx2", title="", command=["fvhydra"], config={"seed": 1})
    files.write_bytes(folder.path / "artifacts" / ("long " * 30 + "\u00e9") / "clip.mp4", bytes(range(256)) * 4000)
    files.write_text(folder.path / "report" / "index.html", "<p>a page</p>" * 1000)
    (folder.path / "status" / "stdout.log").touch()
    folder.finish(RunResult("generate", Verdict.DONE))
    return folder


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", FORMATS)
def test_there_and_back_and_the_same_every_time(command: Cli, tmp_path: Path, run: RunFolder, kind: str) -> None:
    made = command("op=bundle", "run=outputs/a run", f"op.format={kind}")
    assert made.code == 0, made.text
    archive = tmp_path / f"generate_ltx2_a_run.{kind}"
    first = archive.read_bytes()
    assert re.search(r"bundle 6 file\(s\), 1\.\d MB, into", made.err), made.text
    assert f"sha256 {files.sha256_file(archive)}" in made.out
    assert "is there already" in command("op=bundle", "run=outputs/a run", f"op.format={kind}").text
    time.sleep(1.1)  # another time of day, other times of files
    moved = tmp_path / "elsewhere" / "a run"
    shutil.copytree(run.path, moved)
    again = command("op=bundle", f"run={moved}", f"op.format={kind}", f"op.to={tmp_path}/again.{kind}")
    assert again.code == 0 and (tmp_path / f"again.{kind}").read_bytes() == first, again.text

    whole = command("op=bundle", f"op.verify={archive}")
    assert whole.code == 0 and "is whole: 6 file(s)" in whole.out, whole.text
    back = command("op=bundle", f"op.unpack={archive}", "op.to=there")
    assert back.code == 0, back.text
    assert _tree(tmp_path / "there" / "a run") == _tree(run.path)
    assert command("op=bundle", f"op.unpack={archive}", "op.to=there").code == 2
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["a run"]


def test_any_change_of_an_archive_is_seen(command: Cli, tmp_path: Path, run: RunFolder) -> None:
    for kind in FORMATS:
        archive = tmp_path / f"x.{kind}"
        assert command("op=bundle", "run=outputs/a run", f"op.format={kind}", f"op.to={archive}").code == 0
        data = bytearray(archive.read_bytes())
        for at in random.Random(0).sample(range(len(data)), 40):
            archive.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
            with contextlib.suppress(UsageError):  # some bits of an archive mean nothing
                unpack(archive, tmp_path / "there", MOST)
                assert _tree(tmp_path / "there" / "a run") == _tree(run.path), (kind, at)
            shutil.rmtree(tmp_path / "there", ignore_errors=True)
        for length in random.Random(1).sample(range(len(data) - 100), 20):
            archive.write_bytes(data[:length])
            with pytest.raises(UsageError):
                unpack(archive, tmp_path / "there", MOST)
            assert not list((tmp_path / "there").iterdir())
    seen = command("op=bundle", f"op.verify={archive}")
    assert seen.code == 2 and "it was cut off" in seen.text, seen.text


def test_what_it_would_do_and_what_it_refuses(command: Cli, tmp_path: Path, run: RunFolder) -> None:
    dry = command("op=bundle", "run=outputs/a run", "dry_run=true")
    assert dry.code == 0 and "6 file(s), 1.0 MB, into" in dry.out and not list(tmp_path.glob("*.zip")), dry.text
    for words, says in (
        (["run=outputs"], "is neither a run folder nor that of a sweep"),
        (["run=outputs/a run", "op.verify=a.zip", "op.unpack=a.zip"], "are both given"),
        (["op.verify=a.rar"], "ends as no archive of a run does"),
        (["op.verify=none.zip"], "There is no archive"),
        (["run=outputs/a run", "op.format=rar"], "must be one of: zip"),
    ):
        refused = command("op=bundle", *words)
        assert refused.code == 2 and says in refused.text, refused.text
    run.set_state("running")
    assert "is still running" in command("op=bundle", "run=outputs/a run").text
    run.set_state("finished")
    (run.path / "artifacts" / "link").symlink_to("/etc/passwd")
    assert "is a link or no plain file" in command("op=bundle", "run=outputs/a run").text
    assert not list(tmp_path.glob("*.zip")) and not list(tmp_path.glob(".tmp-*"))


def test_scored_clips_go_along_and_the_report_works_elsewhere(command: Cli, tmp_path: Path) -> None:
    assert command("op=generate", "engine=mock", "model=wan21_t2v_1_3b", "prompt_index=0").code == 0
    [clip] = (tmp_path / "outputs" / "latest" / "artifacts").rglob("*.mp4")
    content = clip.read_bytes()
    gen = tmp_path / "my clips & <b>" / "a'b\u00e9.mp4"
    gen.parent.mkdir()
    shutil.copy(clip, gen)
    assert command("op=eval", f"videos={gen.parent}", "metrics=temporal").code == 0
    made = command("op=bundle", "op.to=eval.zip")
    assert made.code == 0 and f"taken along: {gen} as outside/0000_a'b\u00e9.mp4" in made.out, made.text
    (tmp_path / "far").mkdir()
    assert command("op=bundle", "op.unpack=eval.zip", "op.to=far").code == 0
    shutil.rmtree(gen.parent)
    [there] = (tmp_path / "far").iterdir()
    page = (there / "report" / "index.html").read_text(encoding="utf-8")
    assert str(gen.parent) not in page and gen.parent.as_uri() not in page
    links = re.findall(r'(?:src|href)="([^"#:]+)"', page)
    assert any(link.startswith("../outside/") for link in links)
    assert all((there / "report" / unquote(link)).is_file() for link in links)
    again = command("op=eval", f"run={there}", "metrics=pixel")
    assert "Traceback" not in again.text
    [row] = (json.loads(line) for line in (there / "scores.jsonl").read_text(encoding="utf-8").splitlines())
    assert (there / row["clips"]["video"]).read_bytes() == content


def test_nothing_but_clips_is_taken_from_elsewhere(command: Cli, tmp_path: Path, run: RunFolder) -> None:
    secret, frames, mixed = tmp_path / "id_rsa", tmp_path / "frames", tmp_path / "mixed"
    secret.write_text("a key")
    for folder in (frames, mixed):
        folder.mkdir()
        (folder / "0.png").write_bytes(b"a picture")
    (mixed / "notes.txt").write_text("x")
    named = [str(secret), str(frames), str(mixed), "/nowhere/clip.mp4", str(run.path / "report" / "index.html")]
    files.write_json(run.path / "scores.json", {"clips": named, "message": f"in {secret}", "u": "C:\\x.mp4"})
    made = command("op=bundle", "run=outputs/a run", "op.to=x.zip")
    assert made.code == 0, made.text
    for path in (secret, mixed, "/nowhere/clip.mp4", "C:\\x.mp4"):
        assert re.search(rf"named and not taken along: scores.json \S+: {re.escape(str(path))}\n", made.out), made.out
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert [name for name in archive.namelist() if "outside" in name] == ["a run/outside/0000_frames/0.png"]
        clips = json.loads(archive.read("a run/scores.json"))["clips"]
    assert clips[1] == "outside/0000_frames" and clips[4] == "report/index.html" and clips[0] == str(secret)


def test_a_sweep_is_one_archive(command: Cli, tmp_path: Path) -> None:
    words = ["-m", "op=generate", "engine=mock", "model=wan21_t2v_1_3b", "prompt_index=0,1", "sweep=mine"]
    assert command(*words).code == 0
    made = command("op=bundle", "run=multirun/generate/mine", "op.format=tar.gz")
    assert made.code == 0, made.text
    assert command("op=bundle", "op.unpack=generate_mine.tar.gz", "op.to=far").code == 0
    page = (tmp_path / "far" / "mine" / "report" / "index.html").read_text(encoding="utf-8")
    links = re.findall(r'href="([^"#:]+)"', page)
    assert links and all((tmp_path / "far" / "mine" / "report" / unquote(link)).is_file() for link in links)


# ------------------------------------------------------------------------------------------------------ by strangers
READ: tuple[Callable[[Path, Path], object], ...] = (
    lambda source, place: unpack(source, place, MOST),
    lambda source, place: verify(source, MOST),
)


def _listed(**contents: bytes) -> bytes:
    listed = {name: {"sha256": files.sha256_bytes(data), "bytes": len(data)} for name, data in contents.items()}
    return json.dumps({"schema_version": 1, "files": listed}).encode()


def _zip(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)


def _tar(path: Path, *entries: tuple[tarfile.TarInfo, bytes]) -> None:
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for info, data in entries:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


ODD_NAMES = (
    "../x",
    "run/../../x",
    "/etc/x",
    "run/./x",
    "C:/x",
    "run\\..\\x",
    "run//x",
    "run/\0x",
    "",
    ".",
    "run/" * 80,
)


@pytest.mark.parametrize("name", [*ODD_NAMES, "run/a/x", "run/A"])
def test_names_that_lead_out_or_come_twice(tmp_path: Path, name: str) -> None:
    bundle = "run/BUNDLE.json"
    listing = _listed(a=b"1", **{name.removeprefix("run/"): b"2"})
    _tar(tmp_path / "x.tar.gz", (_member(bundle), listing), (_member("run/a"), b"1"), (_member(name), b"2"))
    _zip(tmp_path / "x.zip", (bundle, listing), ("run/a", b"1"), (name or "/", b"2"))
    for archive in ("x.tar.gz", "x.zip"):
        for read in READ:
            with pytest.raises(UsageError):
                read(tmp_path / archive, tmp_path / "there" / "deep")
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name not in ("x.tar.gz", "x.zip")]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_links_and_devices(tmp_path: Path, kind: bytes) -> None:
    _tar(
        tmp_path / "x.tar.gz",
        (_member("run/BUNDLE.json"), _listed(a=b"", **{"a/x": b"1"})),
        (_member("run/a", kind, str(tmp_path)), b""),
        (_member("run/a/x"), b"1"),
    )
    with pytest.raises(UsageError, match="no plain file"):
        unpack(tmp_path / "x.tar.gz", tmp_path / "there", MOST)
    assert not (tmp_path / "x").exists()
    link = zipfile.ZipInfo("run/a")
    link.external_attr = 0o120777 << 16
    _zip(tmp_path / "x.zip", ("run/BUNDLE.json", _listed(a=b"/etc")), (link, b"/etc"))
    with pytest.raises(UsageError, match="no plain file"):
        unpack(tmp_path / "x.zip", tmp_path / "there", MOST)


def _zst(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


@pytest.mark.parametrize(("suffix", "pack"), [("tar.gz", gzip.compress), ("tar.zst", _zst)])
def test_bombs(tmp_path: Path, suffix: str, pack: Callable[[bytes], bytes]) -> None:
    zeros = bytes(50_000_000)
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in (("run/BUNDLE.json", _listed(a=zeros)), ("run/a", zeros)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    (tmp_path / f"x.{suffix}").write_bytes(pack(raw.getvalue()))
    with pytest.raises(UsageError, match="unpacks to more than 10,000,000 bytes"):
        unpack(tmp_path / f"x.{suffix}", tmp_path / "there", 10_000_000)
    assert not list((tmp_path / "there").iterdir())
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 40_000_000
    (tmp_path / f"x.{suffix}").write_bytes(pack(header.tobuf(tarfile.USTAR_FORMAT) + bytes(40_000_000)))
    with pytest.raises(UsageError, match="which no file name needs"):
        verify(tmp_path / f"x.{suffix}", MOST)


def test_archives_that_say_other_than_they_have(tmp_path: Path) -> None:
    bundle = "run/BUNDLE.json"
    for entries, says in (
        ([], "its first file is not <run>/BUNDLE.json"),
        ([("run/a", b"1")], "its first file is not <run>/BUNDLE.json"),
        ([(bundle, b"{")], "is not valid JSON"),
        ([(bundle, b'{"schema_version": 2, "files": {}}')], "of no version that is read here"),
        ([(bundle, b'{"schema_version": 1, "files": {"a": {"bytes": -1, "sha256": ""}}}')], "of no version"),
        ([(bundle, _listed(a=b"1"))], "lacks 'run/a'"),
        ([(bundle, _listed()), ("run/a", b"1")], "does not list"),
        ([(bundle, _listed(a=b"1")), ("other/a", b"1")], "does not list"),
        ([(bundle, _listed(a=b"1")), ("run/a", b"2")], "is not what it was"),
        ([(bundle, _listed(a=b"1")), ("run/a", b"12")], "is not what it was"),
        ([(bundle, _listed(a=b"12")), ("run/a", b"1")], "is not what it was"),
    ):
        _zip(tmp_path / "x.zip", *entries)
        for read in READ:
            with pytest.raises(UsageError, match=re.escape(says)):
                read(tmp_path / "x.zip", tmp_path / "there")
    assert not list((tmp_path / "there").iterdir())
