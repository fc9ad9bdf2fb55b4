# SPDX-License-Identifier: Apache-2.0
"""Times of a pipeline's components, and the memory of a generation, where both are known beforehand."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from fvhydra.core.progress import Silent
from fvhydra.engines import measured
from fvhydra.engines.base import PROCESS_TREE, Engine, GeneratedMedia
from fvhydra.engines.pipeline import device, times


class Sleeping(torch.nn.Module):
    """Takes a known time, forward and decoding."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def forward(self, inner: torch.nn.Module | None = None) -> None:
        time.sleep(self.seconds)
        if inner is not None:
            inner()

    def decode(self, latents: Any = None) -> None:
        time.sleep(self.seconds)


def pipeline() -> Any:
    parts: dict[str, Any] = {name: Sleeping(s) for name, s in (("text_encoder", 0.05), ("text_encoder_2", 0.02))}
    parts |= {name: Sleeping(s) for name, s in (("transformer", 0.03), ("vae", 0.08), ("audio_vae", 0.01))}
    return SimpleNamespace(components=parts | {"scheduler": object(), "transformer_2": None}, **parts)


def test_components_that_sleep_known_times_are_told_those_times() -> None:
    pipe = pipeline()
    with times.measured(pipe, "cpu") as seconds:
        pipe.text_encoder()
        pipe.text_encoder_2()
        for _ in range(4):
            pipe.transformer()
        time.sleep(0.04)  # of no component
        pipe.vae.decode()
        pipe.audio_vae.decode()
    wanted = {"text_encoder_time_s": 0.07, "dit_time_s": 0.12, "vae_decode_time_s": 0.09}
    for name, wanted_s in wanted.items():
        assert wanted_s <= seconds[name] < wanted_s + 0.02, name
    rest = seconds["total_s"] - sum(seconds[name] for name in wanted)
    assert 0.04 <= rest < 0.06
    with times.measured(pipe, "cpu") as again:
        pipe.vae.decode()
    assert set(again) == {"vae_decode_time_s", "total_s"}, "a part that does not run has no time"


def test_hooks_go_also_when_the_call_fails() -> None:
    pipe = pipeline()
    with pytest.raises(KeyboardInterrupt), times.measured(pipe, "cpu"):
        raise KeyboardInterrupt
    modules = [part for part in pipe.components.values() if isinstance(part, torch.nn.Module)]
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in modules)
    assert "decode" not in vars(pipe.vae)


def test_measuring_on_the_cpu_never_asks_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("CUDA was asked")

    for name in ("is_available", "synchronize", "device_count", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, refuse)
    with times.measured(pipeline(), "cpu"), device.peak_memory("cpu") as peaks:
        pass
    assert peaks == {}


class Hungry(Engine):
    """Holds as many megabytes as the case says."""

    def load(self, *_: Any) -> None: ...

    def generate(self, case: Any, progress: Any) -> GeneratedMedia:
        held = bytearray(case * 2**20)
        held[:: 2**12] = b"\x01" * len(held[:: 2**12])  # touched, so that it is resident
        return GeneratedMedia()

    def facts(self) -> dict[str, Any]:
        return {}


def test_the_peak_of_a_generation_is_its_own() -> None:
    engine = Hungry(None)  # type: ignore[arg-type]
    large, small = (measured.generate(engine, size, Silent()) for size in (192, 8))  # type: ignore[arg-type]
    difference = large.memory_mb[PROCESS_TREE] - small.memory_mb[PROCESS_TREE]
    assert 150 < difference < 230, "the peak of the one before is forgotten"


@pytest.mark.gpu
def test_times_and_memory_of_a_gpu() -> None:
    size = 4096
    matrix = torch.ones(size, size, device="cuda")

    class Multiplying(torch.nn.Module):
        def forward(self) -> None:
            for _ in range(50):
                matrix @ matrix

    network = Multiplying()
    with (
        device.peak_memory("cuda") as peaks,
        times.measured(SimpleNamespace(components={"transformer": network}), "cuda") as seconds,
    ):
        network()
    assert 0 < seconds["dit_time_s"] <= seconds["total_s"] < 10
    assert 2 * 4 * size**2 / 2**20 <= peaks["cuda:0"] < 1000
