# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from numpy.typing import NDArray
from PIL import Image

from fvhydra.core.errors import MediaError, UsageError
from fvhydra.media import video


def boxes(data: bytes) -> list[str]:
    """The names of an mp4's outermost boxes, in order."""
    names, at = [], 0
    while at < len(data):
        names.append(data[at + 4 : at + 8].decode())
        at += int.from_bytes(data[at : at + 4], "big")
    return names


def sample_starts(path: Path) -> list[int]:
    with av.open(path) as container:
        return sorted(packet.pos for packet in container.demux(video=0) if packet.size)


def test_frames_come_back_in_order_and_colour(clip: Path, frames: NDArray[np.uint8]) -> None:
    decoded = list(video.decode(clip))
    assert len(decoded) == len(frames)
    for before, after in zip(frames, decoded, strict=True):
        assert after.dtype == np.uint8
        assert after.shape == before.shape
        # the smooth half: 4:2:0 halves the colour of the noise by design
        assert np.abs(after[:, :40].astype(int) - before[:, :40]).mean() < 3
    np.testing.assert_array_equal(video.last_frame(clip), decoded[-1])


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 30, 90)])
def test_colours_survive_because_matrix_and_range_are_written(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    path = tmp_path / "solid.mp4"
    video.encode(path, np.full((3, 32, 32, 3), colour, np.uint8), 24)
    with av.open(path) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (1, 1, 1, 1)
    assert np.abs(video.last_frame(path)[16, 16].astype(int) - colour).max() <= 2


def test_two_encodes_give_the_same_bytes(tmp_path: Path, frames: NDArray[np.uint8]) -> None:
    tone = np.sin(np.arange(48_000) / 20).astype(np.float32)[np.newaxis]
    for name in ("first.mp4", "second.mp4"):
        video.encode(tmp_path / name, frames, 24, audio=tone, audio_rate=48_000)
    assert (tmp_path / "first.mp4").read_bytes() == (tmp_path / "second.mp4").read_bytes()


_ENCODE_NOISE = """
import hashlib, sys
from pathlib import Path
import numpy as np
from fvhydra.media.video import encode
for seed in range(2):
    for strength in (10, 20, 40, 60):
        rng = np.random.default_rng(seed)
        still = rng.normal(128, 40, (192, 192, 3))
        clip = still + rng.normal(0, strength, (9, 192, 192, 3))
        encode(Path(sys.argv[1]), clip.clip(0, 255).astype(np.uint8), 24)
        print(hashlib.sha256(Path(sys.argv[1]).read_bytes()).hexdigest())
"""


def test_the_bytes_do_not_depend_on_what_was_in_memory_before(tmp_path: Path) -> None:
    seen = set()
    for fill in ("0", "64"):  # glibc fills memory with it that it hands out
        environment = os.environ | {"MALLOC_PERTURB_": fill, "MALLOC_MMAP_THRESHOLD_": str(2**30)}
        command = [sys.executable, "-c", _ENCODE_NOISE, tmp_path / "a.mp4"]
        seen.add(subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout)
    assert len(seen) == 1


def test_the_bytes_do_not_depend_on_the_number_of_cpus(tmp_path: Path) -> None:
    path = tmp_path / "large.mp4"
    video.encode(path, np.zeros((2, 720, 1280, 3), np.uint8), 24)
    # x264 notes its settings in the stream
    assert b" threads=1 " in path.read_bytes()


def test_the_index_comes_first_and_only_the_file_itself_is_left(clip: Path) -> None:
    assert boxes(clip.read_bytes())[:2] == ["ftyp", "moov"]
    assert [path.name for path in clip.parent.iterdir()] == ["clip.mp4"]


def test_probe_describes_the_stream(clip: Path) -> None:
    info = video.probe(clip)
    assert (info.frames, info.height, info.width, info.fps) == (24, 64, 96, 24.0)
    assert (info.codec, info.pix_fmt, info.has_audio, info.duration_s) == ("h264", "yuv420p", False, 1.0)
    assert info.decoder.startswith("pyav ")


@pytest.mark.parametrize("channels", [1, 2])
def test_audio_track(tmp_path: Path, frames: NDArray[np.uint8], channels: int) -> None:
    path = tmp_path / "sound.mp4"
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(44_100) / 44_100)
    video.encode(path, frames, 24, audio=np.stack([tone] * channels).astype(np.float32), audio_rate=44_100)
    assert video.probe(path).has_audio
    assert len(list(video.decode(path))) == 24
    with av.open(path) as container:
        samples = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    assert samples.shape[0] == channels
    spectrum = np.abs(np.fft.rfft(samples[0, :44_100]))
    assert abs(int(spectrum.argmax()) - 440) <= 1


def test_a_fractional_frame_rate_is_kept(tmp_path: Path, frames: NDArray[np.uint8]) -> None:
    video.encode(tmp_path / "film.mp4", frames, 24_000 / 1001)
    assert video.probe(tmp_path / "film.mp4").fps == pytest.approx(24_000 / 1001, abs=1e-9)


@pytest.mark.parametrize(
    ("shape", "fps", "audio_rate", "says"),
    [
        ((2, 33, 32, 3), 24.0, 48_000, "even height and width, not 33x32"),
        ((2, 32, 35, 3), 24.0, 48_000, "even height and width, not 32x35"),
        ((2, 32, 32, 3), 0.0, 48_000, "frame rate must be above 0, not 0"),
        ((2, 32, 32, 3), float("nan"), 48_000, "frame rate must be above 0, not nan"),
        ((2, 32, 32, 3), 24.0, 12_345, "Cannot encode"),
    ],
)
def test_what_cannot_be_encoded_says_so_and_leaves_nothing(
    tmp_path: Path, shape: tuple[int, ...], fps: float, audio_rate: int, says: str
) -> None:
    silence = np.zeros((1, 4000), np.float32)
    with pytest.raises(MediaError, match=says):
        video.encode(tmp_path / "clip.mp4", np.zeros(shape, np.uint8), fps, audio=silence, audio_rate=audio_rate)
    assert list(tmp_path.iterdir()) == []


def test_float_frames_are_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="uint8"):
        video.encode(tmp_path / "clip.mp4", np.zeros((2, 32, 32, 3), np.float32), 24)  # type: ignore[arg-type]


def test_a_full_disk_is_one_sentence(
    tmp_path: Path, frames: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: object, **__: object) -> None:
        raise av.error.OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("fvhydra.media.encode._mux_video", no_space)
    with pytest.raises(UsageError, match="No space left"):
        video.encode(tmp_path / "clip.mp4", frames, 24)
    assert list(tmp_path.iterdir()) == []


def cut_data(data: bytes, path: Path) -> bytes:
    return data[: int(len(data) * 0.6)]


def cut_between_samples(data: bytes, path: Path) -> bytes:
    return data[: sample_starts(path)[-1]]


def cut_index(data: bytes, path: Path) -> bytes:
    return data[:200]


def overwrite_second_half(data: bytes, path: Path) -> bytes:
    half = len(data) // 2
    return data[:half] + np.random.default_rng(0).bytes(len(data) - half)


def blank_a_few_bytes(data: bytes, path: Path) -> bytes:
    at = sample_starts(path)[0] + 1000
    return data[:at] + bytes(300) + data[at + 300 :]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (cut_data, r"damaged|cut off"),
        (cut_between_samples, "is cut off after 23 frames"),
        (cut_index, "not a video"),
        (overwrite_second_half, "damaged"),
        (blank_a_few_bytes, "damaged"),
        (lambda data, path: b"", r"is empty \(0 bytes\)"),
        (lambda data, path: b"hello " * 1000, "not a video"),
    ],
)
def test_damage_never_shortens_a_clip_silently(clip: Path, damage: Callable[[bytes, Path], bytes], says: str) -> None:
    clip.write_bytes(damage(clip.read_bytes(), clip))
    with pytest.raises(MediaError, match=says) as caught:
        list(video.decode(clip))
    assert str(clip) in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("container", ["mkv", "mov", "webm"])
@pytest.mark.parametrize("cut", [False, True])
def test_other_containers(clip: Path, container: str, cut: bool) -> None:
    copy = clip.with_suffix(f".{container}")
    with av.open(clip) as source, av.open(copy, "w") as target:
        stream = target.add_stream("libvpx-vp9" if container == "webm" else "libx264", rate=24)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        for frame in source.decode(video=0):
            frame.pict_type = av.video.frame.PictureType.NONE
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    if cut:
        copy.write_bytes(cut_data(copy.read_bytes(), copy))
        with pytest.raises(MediaError):
            list(video.decode(copy))
    else:
        assert len(list(video.decode(copy))) == 24


@pytest.mark.parametrize("first_shown", [6, 6.25, 6.75])
def test_a_clip_trimmed_by_an_edit_list_is_whole(clip: Path, first_shown: float) -> None:
    """Its container counts frames that it also says not to show, and a duration with a part of one."""
    trimmed = clip.with_name("trimmed.mp4")
    with av.open(clip) as source, av.open(trimmed, "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        time_base = source.streams.video[0].time_base
        assert time_base is not None
        skipped = int(first_shown / 24 / time_base)
        for packet in source.demux(video=0):
            if packet.pts is None or packet.dts is None:
                continue
            packet.pts, packet.dts, packet.stream = packet.pts - skipped, packet.dts - skipped, stream
            target.mux(packet)
    info = video.probe(trimmed)
    shown = list(video.decode(trimmed))
    assert len(shown) == info.frames == (18 if first_shown == 6 else 17)
    assert info.duration_s == pytest.approx(len(shown) / 24)


def test_missing_file_and_empty_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.mp4", tmp_path):
        with pytest.raises(MediaError, match="There is no video"):
            video.probe(path)


@pytest.mark.parametrize("with_cover", [False, True])
def test_audio_only_is_not_a_video(tmp_path: Path, with_cover: bool) -> None:
    song = tmp_path / "song.mp4"
    with av.open(song, "w") as container:
        stream = container.add_stream("aac", rate=48_000, layout="mono")
        if with_cover:
            cover = container.add_stream("mjpeg", rate=1)
            cover.height, cover.width, cover.pix_fmt = 32, 32, "yuvj420p"
            cover.disposition = Disposition.attached_pic
            container.mux(cover.encode(av.VideoFrame(32, 32, "yuvj420p")))
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48_000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(MediaError, match="it holds only audio"):
        video.probe(song)


def test_a_picture_is_not_a_video(tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    Image.new("RGB", (32, 32)).save(picture)
    with pytest.raises(MediaError, match="is not a video"):
        list(video.decode(picture))


def test_nothing_is_said_on_stderr(clip: Path) -> None:
    clip.write_bytes(overwrite_second_half(clip.read_bytes(), clip))
    script = (
        "import sys; from pathlib import Path; from fvhydra.core.errors import MediaError; "
        "from fvhydra.media import video\n"
        "try: list(video.decode(Path(sys.argv[1])))\n"
        "except MediaError: print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", script, str(clip)], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("refused\n", "")


def test_read_image(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    path = tmp_path / "frame.png"
    Image.fromarray(pixels).save(path)
    np.testing.assert_array_equal(video.read_image(path), pixels)
    turned = Image.Exif()
    turned[0x0112] = 6  # rotate by 90 degrees clockwise to show
    Image.fromarray(pixels).save(path, exif=turned)
    np.testing.assert_array_equal(video.read_image(path), np.rot90(pixels, -1))
    Image.fromarray(pixels).convert("RGBA").save(path)
    assert video.read_image(path).shape == (8, 12, 3)


def test_unreadable_images(tmp_path: Path, clip: Path) -> None:
    with pytest.raises(MediaError, match="There is no image"):
        video.read_image(tmp_path / "absent.png")
    broken = tmp_path / "broken.png"
    Image.new("RGB", (64, 64)).save(broken)
    whole = broken.read_bytes()
    for data, says in ((b"", "is empty"), (whole[:60], "not a readable"), (whole[:-40], "not a readable image")):
        broken.write_bytes(data)
        with pytest.raises(MediaError, match=says):
            video.read_image(broken)
    shutil.copy(clip, broken)
    with pytest.raises(MediaError, match="not a readable image"):
        video.read_image(broken)
