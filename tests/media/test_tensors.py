# SPDX-License-Identifier: Apache-2.0
"""A ``.pt`` file that a stranger made runs nothing, names nothing, and takes neither the memory nor for ever."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fvhydra.core.errors import MediaError
from fvhydra.media import latent, tensors
from fvhydra.metrics.models import loading


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "cat.pt"
    values = np.ones((1, 4, 3, 5, 6), np.float32)
    latent.save_bundle(path, values, "torch.bfloat16", "corner_3x3_first_frame", {"prompt": "a cat"})
    return path


def rewrite(path: Path, **changes: Any) -> None:
    torch.save(torch.load(path, weights_only=True) | changes, path)


def replace_pickle(path: Path, data: bytes, **records: bytes) -> None:
    """Another pickle in the archive, and other records."""
    with zipfile.ZipFile(path) as archive:
        found = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in found.items():
            own = data if name.endswith("data.pkl") else records.get(name.rpartition("/")[2].replace(".", "_"), content)
            archive.writestr(name, own)


def shared(levels: int) -> list[Any]:
    """Ten to the power of ``levels`` values in a few bytes."""
    value: list[Any] = ["x"] * 10
    for _ in range(levels - 1):
        value = [value] * 10
    return value


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "code",
    [
        b"\x80\x02cos\nmkdir\n(X\x04\x00\x00\x00rantR.",
        b"\x80\x02cposix\nsystem\n(X\x08\x00\x00\x00mkdir rantR.",
        b"\x80\x04X\x02\x00\x00\x00osX\x05\x00\x00\x00mkdir\x93X\x03\x00\x00\x00ran\x85R.",
        b"\x80\x02cbuiltins\nbytearray\n(\x8a\x06\x00\x00\x00\x00\x00\x10tR.",  # 17 TB of zeros
        b"\x80\x02ctorch\nFloatTensor\n(\x8a\x05\x00\x00\x00\x00\x10tR.",
        b"\x80\x02cbuiltins\neval\n(X\x01\x00\x00\x001tR.",
        b"(X\x03\x00\x00\x00ranios\nmkdir\n.",
        b"\x80\x02\x82\x01.",
    ],
)
def test_names_that_no_tensor_needs_are_refused(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    replace_pickle(bundle, code)
    with pytest.raises(tensors.Refused, match="was refused: it is not a plain latent bundle"):
        latent.load_bundle(bundle)
    bundle.write_bytes(code)
    with pytest.raises(MediaError, match=r"was refused|is not a latent bundle"):
        latent.load_bundle(bundle)
    with pytest.raises(MediaError, match=r"was refused|is not a file of weights|is no file of weights"):
        loading.state_dict(bundle)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"metadata": {"a": shared(9)}}, "'metadata' has more than 100,000 values"),
        ({"metadata": {"a": nested(80)}}, "'metadata' is nested deeper than 64"),
        ({"shape": shared(9)}, "'shape' has more than 100,000 values"),
        ({"slice_spec": {"kind": shared(3), "version": 1}}, "'slice_spec' must hold a kind"),
        ({"slice_spec": {"kind": 5, "version": 1}}, "'slice_spec' must hold a kind"),
        ({"slice_spec": {"kind": "corner_3x3_first_frame", "version": shared(3)}}, "'slice_spec' must hold a kind"),
        ({"dtype_original": ["torch.float32"]}, "'dtype_original' is a list"),
        ({"format_version": shared(4)}, "has format version"),
        ({"format_version": True}, "has format version True"),
        ({"latent": torch.zeros(1).half().expand(1, 4, 3, 5, 10**12)}, "not a dense one with values of its own"),
        ({"latent": torch.zeros(1, 4, 3, 5, 6).half().to_sparse()}, "not a dense one"),
        ({"expected_slice": torch.zeros(1).expand(36)}, "not a dense one with values of its own"),
        ({"latent": torch.nn.Parameter(torch.zeros(2).half())}, "'shape' says"),
        ({"shape": [1, 4, 3, 5, [6]]}, "'shape' says"),
    ],
)
def test_right_keys_with_wrong_values_are_named(bundle: Path, changes: dict[str, Any], says: str) -> None:
    rewrite(bundle, **changes)
    with pytest.raises(MediaError, match=says) as caught:
        latent.load_bundle(bundle)
    assert len(str(caught.value)) < 2000


def test_sizes_that_lie_are_refused(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(bundle) as archive:
        plain = next(archive.read(entry) for entry in archive.infolist() if entry.filename.endswith("data.pkl"))
    short = bundle.with_name("short.pt")
    short.write_bytes(bundle.read_bytes())
    replace_pickle(short, plain, **{"0": b"12"})
    with pytest.raises(MediaError, match=r"is not a latent bundle|not a dense one"):
        latent.load_bundle(short)
    long = bundle.with_name("long.pt")
    with zipfile.ZipFile(long, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cat/data.pkl", plain)
        archive.writestr("cat/data/0", bytes(10**7))
    monkeypatch.setattr(tensors, "MOST_BYTES", 10**6)
    monkeypatch.setattr(tensors.read_tensors, "__kwdefaults__", {"most_bytes": 10**6, "legacy": False})
    assert long.stat().st_size < 10**5
    with pytest.raises(MediaError, match=r"unpacks to 10,\d+,\d+ bytes; at most 1,000,000"):
        latent.load_bundle(long)
    monkeypatch.setattr(tensors, "PICKLE_BYTES", 10)
    with pytest.raises(MediaError, match=r"has a pickle of .* bytes; at most 10"):
        latent.load_bundle(bundle)


def test_files_without_an_end_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.pt")
    (tmp_path / "zero.pt").symlink_to("/dev/zero")
    (tmp_path / "zero.safetensors").symlink_to("/dev/zero")
    for name, says in (("fifo.pt", "FIFO"), ("zero.pt", "device"), ("absent.pt", "There is no latent bundle")):
        with pytest.raises(MediaError, match=says):
            latent.load_bundle(tmp_path / name)
    for name, says in (("fifo.pt", "FIFO"), ("zero.pt", "device"), ("zero.safetensors", "device")):
        with pytest.raises(MediaError, match=says):
            loading.state_dict(tmp_path / name)


def test_weights_are_tensors_by_name(tmp_path: Path) -> None:
    good = {"a.weight": torch.ones(2, 2), "a.bias": torch.nn.Parameter(torch.ones(2))}
    torch.save(good, tmp_path / "good.pt")
    torch.save(good, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    for name in ("good.pt", "old.pt"):
        assert loading.state_dict(tmp_path / name).keys() == good.keys()
    for number, bad in enumerate(
        ([1], {"a": 1}, {1: torch.ones(1)}, {"a": torch.ones(1).expand(10**12)}, {"a": torch.ones(1, device="meta")})
    ):
        torch.save(bad, tmp_path / f"{number}.pt")
        with pytest.raises(MediaError, match="must hold tensors by their names"):
            loading.state_dict(tmp_path / f"{number}.pt")
    (tmp_path / "lies.safetensors").write_bytes((2**60).to_bytes(8, "little") + b"{}")
    with pytest.raises(MediaError, match="is no safetensors file"):
        loading.state_dict(tmp_path / "lies.safetensors")
    (tmp_path / "code.pt").write_bytes(pickle.dumps(print))
    with pytest.raises(MediaError, match="was refused"):
        loading.state_dict(tmp_path / "code.pt")
