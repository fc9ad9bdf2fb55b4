from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from fvhydra.media.audio import write_wav


def test_samples_come_back(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    audio = np.stack([np.linspace(-1, 1, 1000), np.linspace(2, -2, 1000)]).astype(np.float32)
    write_wav(path, audio, 44_100)
    with wave.open(str(path)) as read:
        assert (read.getnchannels(), read.getframerate(), read.getnframes()) == (2, 44_100, 1000)
        samples = np.frombuffer(read.readframes(1000), "<i2").reshape(1000, 2).T / 32767
    np.testing.assert_allclose(samples, audio.clip(-1, 1), atol=1 / 32767)
    assert [file.name for file in tmp_path.iterdir()] == ["tone.wav"]


def test_nan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="finite"):
        write_wav(tmp_path / "tone.wav", np.full((1, 8), np.nan, np.float32), 8000)
    assert list(tmp_path.iterdir()) == []
