# SPDX-License-Identifier: Apache-2.0
"""Messages between a driver and an engine's process arrive as they were sent, or are said to be none."""

from __future__ import annotations

import json
import random
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fvhydra.engines.base import GeneratedMedia
from fvhydra.engines.channel import MAGIC, MOST_BYTES, Channel, ProtocolError
from fvhydra.testing import cases

Ends = tuple[Channel, Channel]


@pytest.fixture
def ends() -> Iterator[Ends]:
    one, other = (Channel(end) for end in socket.socketpair())
    yield one, other
    one.close()
    other.close()


@pytest.fixture
def raw() -> Iterator[tuple[socket.socket, Channel]]:
    """An end to write anything to, and the other."""
    one, other = socket.socketpair()
    channel = Channel(other)
    yield one, channel
    one.close()
    channel.close()


def crossed(ends: Ends, value: Any) -> Any:
    ends[0].send("test", value=value)
    message = ends[1].receive(5)
    assert message is not None and message[0] == "test"
    return message[1]["value"]


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -1, 2**63 - 1, 0.1, 1e-320, "猫 🎬 \u2028 \"'", "", [], {}, {"a": [1, {"b": None}]}, Path("a/b")],
)
def test_plain_values_stay_what_they_are(ends: Ends, value: Any) -> None:
    found = crossed(ends, value)
    assert found == value and isinstance(found, type(value))


def test_a_mapping_may_look_like_anything(ends: Ends) -> None:
    for value in ({"array": 0}, {"record": []}, {"dict": 1, "path": 2}):
        assert crossed(ends, value) == value


def test_objects_keep_fields_properties_and_what_dataclasses_can(ends: Ends, tmp_path: Path) -> None:
    import dataclasses

    case = cases.case("ltx2", seed=3)
    found = crossed(ends, case)
    assert type(found).__name__ == "Case"
    assert found.fingerprint == case.fingerprint
    assert (found.model.modality, found.model.latent.shape) == ("video", case.model.latent.shape)  # type: ignore[union-attr]
    assert dataclasses.asdict(found.sampling) == dataclasses.asdict(case.sampling)
    assert dataclasses.replace(found.sampling, seed=9).seed == 9
    assert crossed(ends, cases.request("ltx2", tmp_path)).gpu.device == "cpu"


def test_arrays_come_with_their_bits_layout_and_type(ends: Ends) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (5, 8, 6, 3), np.uint8)
    latent = np.array([[1.5, np.nan, -0.0, np.inf]], np.float32)[:, ::2]
    found = crossed(ends, GeneratedMedia(frames=frames, latent=latent, seconds={"total_s": 1 / 3}))
    assert np.array_equal(found.frames, frames) and found.frames.dtype == np.uint8
    assert found.latent.tobytes() == np.ascontiguousarray(latent).tobytes() and found.latent.dtype == np.float32
    assert found.frames.flags.writeable and found.seconds == {"total_s": 1 / 3}
    several = crossed(ends, [np.arange(3), np.zeros((0, 2)), np.asfortranarray(np.eye(3)), np.float32(2)])
    assert [item.shape for item in several] == [(3,), (0, 2), (3, 3), ()]
    assert np.array_equal(several[2], np.eye(3))


def test_more_than_the_socket_holds_gets_across_in_order(ends: Ends) -> None:
    texts = [str(index) * 200_000 for index in range(4)]
    arrays = [np.full(100_000, index) for index in range(4)]

    def send() -> None:
        for text, array in zip(texts, arrays, strict=True):
            ends[0].send("test", text=text, array=array)

    sender = threading.Thread(target=send)
    sender.start()
    for text, array in zip(texts, arrays, strict=True):
        message = ends[1].receive(10)
        assert message is not None
        assert message[1]["text"] == text and np.array_equal(message[1]["array"], array)
    sender.join()


def test_what_cannot_be_sent_is_named_and_nothing_is_sent(ends: Ends) -> None:
    for value in (object(), {1, 2}, b"bytes", np.array([object()])):
        with pytest.raises((TypeError, ValueError)):
            ends[0].send("test", value=value)
    assert crossed(ends, 1) == 1


def test_silence_and_the_end_are_told_apart(ends: Ends) -> None:
    assert ends[1].receive(0) is None
    ends[0].send("test", value=1)
    ends[0].close()
    assert ends[1].receive(0) == ("test", {"value": 1})
    with pytest.raises(EOFError):
        ends[1].receive(5)


def framed(body: bytes) -> bytes:
    return struct.pack(">4sI", MAGIC, len(body)) + body


@pytest.mark.parametrize(
    "said",
    [
        b"Loading checkpoint shards: 100%",
        b"\r",
        struct.pack(">4sI", MAGIC, MOST_BYTES + 1),
        framed(b"not json"),
        framed(b"[]"),
        framed(b'{"kind": "test"}'),
        framed(b'{"kind": "test", "content": {"module": "os"}}'),
        framed(b'{"kind": "test", "content": {"dict": {"value": {"array": 0}}}}'),
        framed(b'{"kind": "a", "content": {"dict": {"b": {"record": ["A", {"dict": {"no name": 1}}, {"dict": {}}]}}}}'),
        framed(b'{"kind": "test", "content": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    ],
)
def test_what_is_no_message_is_said_to_be_none(raw: tuple[socket.socket, Channel], said: bytes) -> None:
    raw[0].sendall(said)
    with pytest.raises(ProtocolError):
        raw[1].receive(5)


def test_a_message_that_is_damaged_anywhere_is_none_or_another_value() -> None:
    rng = random.Random(7)
    body = json.dumps(
        {"kind": "test", "content": {"dict": {"value": {"record": ["A", {"dict": {"b": [1]}}, {"dict": {}}]}}}}
    )
    for _ in range(300):
        said = bytearray(framed(body.encode()))
        said[rng.randrange(len(said))] ^= 1 << rng.randrange(8)
        one, other = socket.socketpair()
        channel = Channel(other)
        one.sendall(said)
        one.close()
        try:
            assert channel.receive(5) is not None
        except (ProtocolError, EOFError):
            pass
        finally:
            channel.close()
