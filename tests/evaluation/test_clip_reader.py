# SPDX-License-Identifier: Apache-2.0
"""Decoding the videos of a sample side by side, and what becomes of files that are unlike others."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from fvhydra.evaluation.clip_reader import open_clips
from fvhydra.media.video import decode
from tests.evaluation.conftest import Make

MB_OF_A_FRAME = 32 * 48 * 3 * 3 / 1e6  # three chunks exist at once


def read(videos: dict[str, Path], memory_mb: float = 1.0) -> tuple[dict[str, NDArray[np.uint8]], dict[str, str]]:
    """All frames of each video, and the sentences about those that broke."""
    found: dict[str, list[NDArray[np.uint8]]] = {key: [] for key in videos}
    with open_clips(videos, memory_mb) as reader:
        for chunk in reader:
            for key, frames in chunk.tracks.items():
                assert sum(map(len, found[key])) == chunk.start
                found[key].append(frames)
        errors = {key: error.message for key, error in reader.errors.items()}
        assert reader.counts == {key: sum(map(len, parts)) for key, parts in found.items() if key in reader.counts}
    return {key: np.concatenate(parts) for key, parts in found.items() if parts}, errors


@pytest.mark.parametrize("frames_of_a_chunk", [1, 2, 4, 9, 100])
def test_any_chunk_length_gives_the_same_frames(make_clip: Make, frames_of_a_chunk: int) -> None:
    videos = {"video": make_clip("a.mp4", 50), "reference": make_clip("b.mp4", 90, frames=7)}
    found, errors = read(videos, 2 * frames_of_a_chunk * MB_OF_A_FRAME * 1.01)
    assert errors == {}
    for key, path in videos.items():
        np.testing.assert_array_equal(found[key], np.stack(list(decode(path))))


def test_chunks_are_as_long_as_memory_allows(make_clip: Make) -> None:
    clip = make_clip("a.mp4", frames=9)
    for memory_mb, lengths in ((4.1 * MB_OF_A_FRAME, [4, 4, 1]), (1e-9, [1] * 9)):
        with open_clips({"video": clip}, memory_mb) as reader:
            assert [len(chunk.tracks["video"]) for chunk in reader] == lengths


def test_a_video_that_breaks_does_not_end_the_others(make_clip: Make, tmp_path: Path) -> None:
    whole, cut = make_clip("a.mp4", frames=48), make_clip("b.mp4", frames=48)
    cut.write_bytes(cut.read_bytes()[:-200])
    found, errors = read({"video": whole, "reference": cut, "other": tmp_path / "absent.mp4"}, MB_OF_A_FRAME)
    assert len(found["video"]) == 48
    assert set(errors) == {"reference", "other"}
    assert "There is no video" in errors["other"]


def written(path: Path, codec: str, pix_fmt: str, shape: tuple[int, int], **settings: object) -> Path:
    """Six frames, left half dark and right half bright, with settings of the stream."""
    height, width = shape
    picture = np.full((height, width, 3), 40, np.uint8)
    picture[:, width // 2 :] = 200
    times = settings.pop("times", range(6))
    turned = settings.pop("turned", 0)
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=24)
        stream.height, stream.width, stream.pix_fmt = height, width, pix_fmt
        stream.codec_context.time_base = Fraction(1, 24)
        if turned:
            stream.set_display_rotation(turned)
        for time in times:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = time, Fraction(1, 24)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def dark_left(frames: NDArray[np.uint8]) -> bool:
    middle = frames.shape[2] // 2
    return bool(frames[:, :, : middle - 4].mean() < 60 < 180 < frames[:, :, middle + 4 :].mean())


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "shape"),
    [
        ("odd.mp4", "libx264", "yuv444p", (33, 47)),
        ("odd.mkv", "ffv1", "yuv420p", (33, 47)),
        ("deep.mkv", "ffv1", "yuv420p10le", (32, 48)),
        ("deep.mp4", "libx264", "yuv420p10le", (32, 48)),
        ("grey.mkv", "ffv1", "gray", (32, 48)),
    ],
)
def test_odd_sizes_and_ten_bits_are_decoded_to_eight(
    tmp_path: Path, name: str, codec: str, pix_fmt: str, shape: tuple[int, int]
) -> None:
    found, errors = read({"video": written(tmp_path / name, codec, pix_fmt, shape)})
    assert errors == {}
    assert (found["video"].shape, found["video"].dtype) == ((6, *shape, 3), np.uint8)
    assert dark_left(found["video"])


def test_frames_of_a_variable_rate_are_taken_as_they_come(tmp_path: Path) -> None:
    path = written(tmp_path / "vfr.mkv", "libx264", "yuv420p", (32, 48), times=[0, 1, 5, 6, 20, 21])
    found, errors = read({"video": path})
    assert (len(found["video"]), errors) == (6, {})


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotated_clips_are_turned_as_players_turn_them(tmp_path: Path, degrees: int) -> None:
    path = written(tmp_path / "turned.mp4", "libx264", "yuv420p", (32, 48), turned=degrees)
    height, width = (32, 48) if degrees == 180 else (48, 32)
    with open_clips({"video": path}, 1) as reader:
        assert (reader.tracks["video"].height, reader.tracks["video"].width) == (height, width)
        [chunk] = list(reader)
    coded = np.stack(list(decode(path)))  # others get the frames as they were coded
    assert coded.shape == (6, 32, 48, 3)
    np.testing.assert_array_equal(chunk.tracks["video"], np.rot90(coded, degrees // 90, axes=(1, 2)))


def test_a_container_without_frames_is_no_clip(tmp_path: Path) -> None:
    path = written(tmp_path / "none.mkv", "libx264", "yuv420p", (32, 48), times=[])
    found, errors = read({"video": path})
    assert found == {}
    assert "video" in errors
