# SPDX-License-Identifier: Apache-2.0
"""What strangers may have named .mp4: lists of other files, files without an end, sizes that cannot be."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fvhydra.core.errors import MediaError
from fvhydra.media import limits, timing, video
from fvhydra.media.audio import has_sound, read_audio
from tests.media.making import moving, mp4, png, sound, write

READERS: dict[str, Callable[[Path], Any]] = {
    "probe": video.probe,
    "decode": lambda path: list(video.decode(path)),
    "read_audio": read_audio,
    "has_sound": has_sound,
    "read_image": video.read_image,
}

LISTS = {
    "ffconcat": "ffconcat version 1.0\nfile {name}\n",
    "HLS": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.0,\n{name}\n#EXT-X-ENDLIST\n",
    "DASH": (
        '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'profiles="urn:mpeg:dash:profile:isoff-on-demand:2011" mediaPresentationDuration="PT1S"><Period>'
        '<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>{name}</BaseURL>'
        "</Representation></AdaptationSet></Period></MPD>"
    ),
    "SDP": (
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
        "a=rtpmap:96 H264/90000\n"
    ),
    "metadata": ";FFMETADATA1\ntitle={name}\n",
    "URL": "[InternetShortcut]\nURL=file://{name}\n",
}


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A clip with sound that nobody named."""
    (tmp_path / "elsewhere").mkdir()
    return write(tmp_path / "elsewhere" / "secret.mp4", moving(3))


@pytest.mark.parametrize("reader", ["probe", "decode", "read_audio", "has_sound"])
@pytest.mark.parametrize("suffix", [".mp4", ".m3u8", ".mpd", ".wav"])
@pytest.mark.parametrize("kind", LISTS)
def test_a_list_of_other_files_is_refused_whatever_its_name(
    tmp_path: Path, secret: Path, kind: str, suffix: str, reader: str
) -> None:
    path = tmp_path / f"clip{suffix}"
    path.write_text(LISTS[kind].format(name="elsewhere/secret.mp4"))
    with pytest.raises(MediaError):
        READERS[reader](path)


def test_the_refusal_of_a_list_names_what_is_read(tmp_path: Path, secret: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_text(LISTS["ffconcat"].format(name="elsewhere/secret.mp4"))
    with pytest.raises(MediaError, match=r"none of the formats that are read \(mov, matroska, avi") as caught:
        video.probe(path)
    assert "may lead to other files" in caught.value.hint


def test_samples_in_another_file_are_not_read(tmp_path: Path) -> None:
    """An MP4 can say that its samples are in the file beside it."""
    (tmp_path / "secret.bin").write_bytes(bytes(range(192)))
    (tmp_path / "clip.mp4").write_bytes(mp4(1, reference="secret.bin"))
    with pytest.raises(MediaError):
        list(video.decode(tmp_path / "clip.mp4"))


def test_names_that_look_like_protocols_are_names(tmp_path: Path, secret: Path) -> None:
    for name in ("concat:secret.mp4", "http:a.mp4", "subfile,,start,0,end,0,,:secret.mp4"):
        copy = secret.parent / name
        copy.write_bytes(secret.read_bytes())
        assert len(list(video.decode(copy))) == 3


@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_regular_file_is_neither_waited_for_nor_read(tmp_path: Path, reader: str) -> None:
    os.mkfifo(tmp_path / "fifo.mp4")
    (tmp_path / "zero.mp4").symlink_to("/dev/zero")
    (tmp_path / "log.mp4").symlink_to("/proc/self/pagemap")  # a size of 0, and no end
    for name, says in (("fifo", "is a FIFO"), ("zero", "is a device"), ("log", r"is empty \(0 bytes\)")):
        with pytest.raises(MediaError, match=says):
            READERS[reader](tmp_path / f"{name}.mp4")


@pytest.mark.parametrize("reader", READERS)
def test_a_file_without_end_is_bounded(tmp_path: Path, reader: str) -> None:
    path = tmp_path / "endless.mp4"
    path.touch()
    os.truncate(path, 2**43)  # sparse
    with pytest.raises(MediaError, match=r"has 8,796,093,022,208 bytes; at most 4,294,967,296 are read"):
        READERS[reader](path)


@pytest.mark.parametrize(
    "content",
    [mp4(50_000_000), mp4(2**31 - 1), mp4(900, edits=2_000)],
    ids=["samples", "most samples", "edits"],
)
def test_an_index_that_claims_more_than_the_file_holds_costs_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bomb.mp4"
    path.write_bytes(content)
    for reader in ("probe", "decode", "read_audio"):
        with pytest.raises(MediaError, match=r"its index claims more samples than its .* bytes can hold"):
            READERS[reader](path)


def test_frames_of_a_senseless_size_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "clip.mp4", moving(3))
    monkeypatch.setattr(limits, "MOST_PIXELS", 64 * 96)
    assert len(list(video.decode(path))) == 3
    monkeypatch.setattr(limits, "MOST_PIXELS", 64 * 96 - 1)
    with pytest.raises(MediaError, match="has 96x64 pixels; at most 6,143 are read"):
        video.probe(path)


def test_a_clip_of_too_many_frames_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "clip.mp4", moving(5))
    monkeypatch.setattr(timing, "MOST_FRAMES", 4)
    for reader in ("probe", "decode"):
        with pytest.raises(MediaError, match="has more than 4 frames"):
            READERS[reader](path)


@pytest.mark.parametrize("size", [(50_000, 50_000), (12_000, 12_000), (8_193, 8_192), (2**31 - 1, 1)])
def test_a_huge_picture_is_refused_by_its_header(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(png(*size))
    tracemalloc.start()
    with pytest.raises(MediaError, match="67,108,864"):
        video.read_image(path)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


def test_a_recording_without_sense_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = sound(tmp_path / "tone.wav", 4800)
    monkeypatch.setattr("fvhydra.media.audio.MOST_SAMPLES", 4799)
    with pytest.raises(MediaError, match="has more than 4,799 samples"):
        read_audio(path)
    data = bytearray(sound(tmp_path / "slow.wav", 4800).read_bytes())
    data[24:28] = (1).to_bytes(4, "little")  # a sample a second, which would become 16,000 for each
    (tmp_path / "slow.wav").write_bytes(data)
    with pytest.raises(MediaError, match="has a rate of 1 samples a second; 1,000 to 768,000 are read"):
        read_audio(tmp_path / "slow.wav")
