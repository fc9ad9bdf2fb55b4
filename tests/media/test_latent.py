# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from fvhydra.core.errors import MediaError
from fvhydra.core.files import canonical_json, plain
from fvhydra.media import latent


@pytest.fixture
def values() -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((1, 4, 3, 5, 6)).astype(np.float32)


@pytest.fixture
def bundle(tmp_path: Path, values: NDArray[np.float32]) -> Path:
    path = tmp_path / "cat.pt"
    latent.save_bundle(path, values, "torch.bfloat16", "corner_3x3_first_frame", {"prompt": "a cat", "seed": 10})
    return path


def rewrite(path: Path, **changes: Any) -> None:
    content = torch.load(path, weights_only=True)
    torch.save(content | changes, path)


def test_the_file_holds_what_other_tools_expect(bundle: Path, values: NDArray[np.float32]) -> None:
    content = torch.load(bundle, weights_only=True)
    assert set(content) == {
        "latent", "shape", "dtype_original", "expected_slice", "slice_spec", "metadata", "format_version"
    }  # fmt: skip
    assert content["latent"].dtype == torch.float16
    torch.testing.assert_close(content["latent"], torch.from_numpy(values).half(), rtol=0, atol=0)
    assert content["shape"] == [1, 4, 3, 5, 6]
    assert content["dtype_original"] == "torch.bfloat16"
    assert content["expected_slice"].dtype == torch.float32
    expected = torch.from_numpy(values)[0, :, 0, :3, :3].flatten()
    torch.testing.assert_close(content["expected_slice"], expected, rtol=0, atol=0)
    assert content["slice_spec"] == {"kind": "corner_3x3_first_frame", "version": 1}
    assert content["metadata"] == {"prompt": "a cat", "seed": 10}
    assert content["format_version"] == 1


def test_load_gives_back_what_was_saved(bundle: Path, values: NDArray[np.float32]) -> None:
    loaded = latent.load_bundle(bundle)
    np.testing.assert_array_equal(loaded.latent, values.astype(np.float16))
    np.testing.assert_array_equal(loaded.expected_slice, latent.take_slice(values, "corner_3x3_first_frame"))
    assert loaded.shape == (1, 4, 3, 5, 6)
    assert (loaded.slice_kind, loaded.dtype_original) == ("corner_3x3_first_frame", "torch.bfloat16")
    assert loaded.metadata == {"prompt": "a cat", "seed": 10}


def test_equal_content_gives_equal_bytes_whatever_the_name(bundle: Path, values: NDArray[np.float32]) -> None:
    other = bundle.with_name("another name.pt")
    latent.save_bundle(
        other, values.copy(), "torch.bfloat16", "corner_3x3_first_frame", {"prompt": "a cat", "seed": 10}
    )
    assert other.read_bytes() == bundle.read_bytes()


def test_audio_slice() -> None:
    audio = np.arange(2 * 3 * 10, dtype=np.float32).reshape(2, 3, 10)
    np.testing.assert_array_equal(latent.take_slice(audio, "audio_first_8_timesteps"), audio[0, :, :8].ravel())


@pytest.mark.parametrize(
    ("kind", "shape", "says"),
    [
        ("corner_3x3_first_frame", (1, 4, 8), "needs a latent of rank 5, not 3"),
        ("corner_3x3_first_frame", (1, 4, 1, 2, 9), "at least"),
        ("corner_3x3_first_frame", (1, 4, 0, 3, 3), "at least"),
        ("audio_first_8_timesteps", (1, 4, 2, 8, 8), "needs a latent of rank 3, not 5"),
        ("audio_first_8_timesteps", (1, 4, 7), "at least"),
        ("corner_3x3_first_frames", (1, 4, 1, 3, 3), "unknown .* Did you mean 'corner_3x3_first_frame'"),
    ],
)
def test_slices_that_do_not_fit(tmp_path: Path, kind: str, shape: tuple[int, ...], says: str) -> None:
    with pytest.raises(MediaError, match=says):
        latent.save_bundle(tmp_path / "x.pt", np.zeros(shape, np.float32), "torch.float32", kind, {})
    assert list(tmp_path.iterdir()) == []
    assert latent.fits(kind, shape) is not None
    assert latent.fits("audio_first_8_timesteps", (1, 1, 8)) is None
    assert latent.fits("corner_3x3_first_frame", (1, 1, 1, 3, 3)) is None


class WritesAFile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("as_plain_pickle", [False, True])
def test_code_in_a_bundle_is_refused_and_not_run(bundle: Path, as_plain_pickle: bool) -> None:
    written = bundle.with_name("written")
    malicious = {"latent": WritesAFile(written), "format_version": 1}
    if as_plain_pickle:
        bundle.write_bytes(pickle.dumps(malicious))
    else:
        torch.save(malicious, bundle)
    with pytest.raises(MediaError, match="was refused") as caught:
        latent.load_bundle(bundle)
    assert str(bundle) in caught.value.message
    assert not written.exists()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format_version": 2}, "has format version 2; this fvhydra reads version 1"),
        ({"format_version": "1"}, "has format version '1'; this fvhydra reads version 1"),
        ({"latent": torch.zeros(1, 4, 3, 5, 6).half().to_sparse()}, "torch.sparse_coo tensor on cpu, not a dense one"),
        ({"latent": torch.zeros(1, 4, 3, 5, 6, device="meta").half()}, "tensor on meta, not a dense one with values"),
        ({"latent": torch.zeros(1, 4, 3, 5, 6)}, "'latent' is torch.float32, format version 1 stores torch.float16"),
        ({"latent": [1.0]}, "'latent' is list"),
        ({"shape": [1, 4, 3, 5, 7]}, "'shape' says"),
        ({"shape": "1x4"}, "'shape' is a str"),
        ({"latent": torch.zeros(1, 4, 3).half(), "shape": [1, 4, 3]}, "needs a latent of rank 5, not 3"),
        ({"expected_slice": torch.zeros(36).half()}, "'expected_slice' is torch.float16"),
        ({"expected_slice": torch.zeros(35)}, r"'expected_slice' is \[35\]"),
        ({"slice_spec": {"kind": "corner", "version": 1}}, "Slice kind 'corner' is unknown"),
        ({"slice_spec": {"kind": "corner_3x3_first_frame", "version": 2}}, "'slice_spec' must hold"),
        ({"slice_spec": None}, "'slice_spec' must hold"),
        ({"metadata": None}, "'metadata' is a NoneType"),
    ],
)
def test_contradictions_are_named(bundle: Path, changes: dict[str, Any], says: str) -> None:
    rewrite(bundle, **changes)
    with pytest.raises(MediaError, match=says) as caught:
        latent.load_bundle(bundle)
    assert str(bundle) in caught.value.message


def test_missing_keys_are_named(bundle: Path) -> None:
    content = torch.load(bundle, weights_only=True)
    del content["expected_slice"], content["metadata"]
    torch.save(content, bundle)
    with pytest.raises(MediaError, match="lacks expected_slice, metadata"):
        latent.load_bundle(bundle)


@pytest.mark.parametrize(
    "damage", [lambda data: b"", lambda data: data[:300], lambda data: data[:-400], lambda data: b"not a bundle"]
)
def test_broken_files(bundle: Path, damage: Any) -> None:
    bundle.write_bytes(damage(bundle.read_bytes()))
    with pytest.raises(MediaError, match=r"is not a latent bundle: .* cut short|was refused"):
        latent.load_bundle(bundle)


def test_other_content_and_missing_file(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(MediaError, match="it holds a list, not a dict"):
        latent.load_bundle(tmp_path / "list.pt")
    with pytest.raises(MediaError, match="There is no latent bundle"):
        latent.load_bundle(tmp_path / "absent.pt")


def test_numerics(bundle: Path, values: NDArray[np.float32]) -> None:
    found = latent.numerics(latent.load_bundle(bundle))
    rounded = values.astype(np.float16).astype(np.float64)
    assert (found.format_version, found.shape, found.dtype_original) == (1, [1, 4, 3, 5, 6], "torch.bfloat16")
    assert found.mean == pytest.approx(rounded.mean(), abs=1e-12)
    assert found.std == pytest.approx(rounded.std(), abs=1e-12)
    assert (found.min, found.max) == (rounded.min(), rounded.max())
    assert (found.nan_count, found.inf_count) == (0, 0)


def test_numerics_of_what_is_not_finite_are_still_json(bundle: Path, values: NDArray[np.float32]) -> None:
    values[0, 0, 0, 0, :3] = [np.nan, np.inf, 1e6]  # the last one is beyond float16
    latent.save_bundle(bundle, values, "torch.float32", "corner_3x3_first_frame", {})
    found = latent.numerics(latent.load_bundle(bundle))
    assert (found.nan_count, found.inf_count) == (1, 2)
    assert found.max is not None
    assert found.max < 10
    json.loads(canonical_json(plain(found)))

    latent.save_bundle(bundle, np.full_like(values, np.nan), "torch.float32", "corner_3x3_first_frame", {})
    found = latent.numerics(latent.load_bundle(bundle))
    assert (found.mean, found.std, found.min, found.max) == (None, None, None, None)
    json.loads(canonical_json(plain(found)))
