# SPDX-License-Identifier: Apache-2.0
"""When frames are shown, and whether all of them are there, in containers that count in different ways."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from fvhydra.core.errors import MediaError
from fvhydra.media import video
from tests.media.making import moving, remux, write

UNEVEN = [Fraction(at, 25) for at in (0, 1, 2, 3, 8, 9, 10, 15, 22, 24)]
"""Ten frames in a second, of a camera that makes 25."""


def decoded(path: Path) -> int:
    return len(list(video.decode(path)))


@pytest.mark.parametrize("suffix", [".mkv", ".webm", ".mp4", ".flv"])
def test_a_segment_that_does_not_start_at_zero_is_whole(tmp_path: Path, suffix: str) -> None:
    """As `ffmpeg -c copy -f segment` and `-itsoffset` leave them: times go on from the segment before."""
    codec = "libvpx-vp9" if suffix == ".webm" else "libx264"
    # with a start of its own, and every second a key frame
    source = write(tmp_path / f"whole{suffix}", moving(72), codec=codec, options={"g": "24", "bf": "0"})
    for begin in (0, 24, 48):
        part = remux(source, tmp_path / f"{begin}{suffix}", begin=begin, end=begin + 24, later_s=Fraction(7, 10))
        info = video.probe(part)
        assert (info.frames, decoded(part)) == (24, 24)
        assert (info.fps, info.duration_s) == (24, pytest.approx(1))


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
@pytest.mark.parametrize("later_s", [0, 5])
def test_a_segment_that_was_cut_off_still_is(tmp_path: Path, suffix: str, later_s: int) -> None:
    codec = "libvpx-vp9" if suffix == ".webm" else "libx264"
    source = write(tmp_path / f"whole{suffix}", moving(24), codec=codec, options={"g": "24", "bf": "0"})
    part = remux(source, tmp_path / f"part{suffix}", later_s=later_s)
    with av.open(part) as container:
        starts = [packet.pos for packet in container.demux(video=0) if packet.size]
    part.write_bytes(part.read_bytes()[: starts[20] - 8])
    with pytest.raises(MediaError, match=r"is cut off after|is damaged"):
        decoded(part)


def test_a_cut_through_an_open_group_is_whole_or_damaged_never_short(tmp_path: Path) -> None:
    """Frames that are shown before their key frame and refer to the group before cannot be decoded any more."""
    options = {"g": "12", "bf": "3", "x264-params": "open-gop=1:keyint=12:min-keyint=12:scenecut=0"}
    source = write(tmp_path / "open.mkv", moving(48), options=options)
    with av.open(source) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        keys = [index for index, packet in enumerate(packets) if packet.is_keyframe]
    part = remux(source, tmp_path / "part.mkv", begin=keys[1])
    assert decoded(part) <= len(packets) - keys[1]
    assert decoded(part) >= len(packets) - keys[1] - 3


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
def test_the_rate_of_an_uneven_clip_is_the_average(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"clip{suffix}", moving(10), UNEVEN, rate=25, time_base=Fraction(1, 1000))
    info = video.probe(path)
    assert info.fps == pytest.approx(10, rel=1e-3)
    assert info.duration_s == pytest.approx(1, rel=1e-3)
    assert (info.frames, decoded(path)) == (10, 10)


def test_remuxes_of_an_uneven_clip_have_one_rate(tmp_path: Path) -> None:
    source = write(tmp_path / "clip.mp4", moving(10), UNEVEN, rate=25, time_base=Fraction(1, 1000))
    rates = {suffix: video.probe(remux(source, tmp_path / f"copy{suffix}")).fps for suffix in (".mp4", ".mkv", ".mov")}
    assert all(video.same_rate(rate, video.probe(source).fps) for rate in rates.values()), rates
    assert all(decoded(tmp_path / f"copy{suffix}") == 10 for suffix in rates)


@pytest.mark.parametrize("every", [25, 24, 20])
def test_a_clip_of_a_fast_clock_is_whole(tmp_path: Path, every: int) -> None:
    """AVI counts the ticks of a clock, and most ticks of 600 a second have no frame."""
    times = [Fraction(index * every, 600) for index in range(24)]
    path = write(tmp_path / "clip.avi", moving(24), times, rate=600, options={"bf": "3"})
    info = video.probe(path)
    assert (info.frames, info.fps) == (24, pytest.approx(600 / every))
    assert info.duration_s == pytest.approx(24 * every / 600)
    assert decoded(path) == 24


def test_a_cut_off_avi_is_told_by_its_own_size(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.avi", moving(24), options={"bf": "0"})
    assert decoded(path) == 24
    with av.open(path) as container:
        starts = [packet.pos for packet in container.demux(video=0) if packet.size]
    path.write_bytes(path.read_bytes()[: starts[20]])
    with pytest.raises(MediaError, match="is cut off: its header promises more than"):
        video.probe(path)


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(24_000, 1001), Fraction(30), Fraction(12)])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".webm"])
def test_a_constant_rate_is_exact(tmp_path: Path, suffix: str, rate: Fraction) -> None:
    path = write(tmp_path / f"clip{suffix}", moving(9), rate=rate, codec="libvpx" if suffix == ".webm" else "libx264")
    info = video.probe(path)
    assert info.fps == pytest.approx(float(rate), abs=1e-9)
    assert info.duration_s == pytest.approx(9 / float(rate), abs=1e-9)


def test_a_clip_of_one_frame_has_a_duration(tmp_path: Path) -> None:
    for suffix in (".mp4", ".mkv"):
        info = video.probe(write(tmp_path / f"clip{suffix}", moving(1)))
        assert (info.frames, info.fps) == (1, 24)
        assert info.duration_s == pytest.approx(1 / 24)


@pytest.mark.parametrize(
    ("rate", "other", "same"),
    [
        (24, 24, True),
        (24, 24_000 / 1001, True),
        (24_000 / 1001, 24, True),
        (30, 29.97, True),
        (1000 / 41, 24.39, True),
        (24, 25, False),
        (25, 24, False),
        (8, 8.05, False),
        (50, 60, False),
    ],
)
def test_one_rate_or_two(rate: float, other: float, same: bool) -> None:
    assert video.same_rate(rate, other) is same
