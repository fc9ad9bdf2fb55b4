# SPDX-License-Identifier: Apache-2.0
"""``engine=mock``: procedural output in place of a model's, for dry runs, demos and tests. No torch, no weights."""

from __future__ import annotations

import importlib
import importlib.metadata
import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fvhydra.core.errors import UsageError
from fvhydra.core.files import canonical_json, sha256_bytes
from fvhydra.core.progress import Progress
from fvhydra.engines.base import COMPONENTS, Capabilities, Engine, GeneratedMedia, LoadRequest
from fvhydra.engines.images import first_frame

if TYPE_CHECKING:
    from fvhydra.config.engine import EngineConfig
    from fvhydra.config.model import ModelConfig
    from fvhydra.core.case import Case

HEIGHT, WIDTH, FRAMES = 256, 256, 17  # where sampling leaves them to the library
WAVES = 5
AUDIO_RATE = 44100
SAMPLES_PER_LATENT = 2048  # Stable Audio's; also decides the length of a mock audio latent

Floats = NDArray[np.floating[Any]]


class MockEngine(Engine):
    """Moving, textured clips, sound and latents, decided by prompt, seed, sampling and first frame alone.

    Serves every model on every machine: ``gpu=`` and ``backend=`` are filed under, not verified, and ``facts`` says so.
    ``tier.perturb_weights`` adds that much noise, so a gate can be seen failing.

    Option ``engine.options.component_s``: seconds that components pretend to work, by their names in
    ``GeneratedMedia.seconds``, so that what measures or gates time can be seen at work.
    """

    capabilities = Capabilities(weights=("tiny", "synthetic", "hub"), procedural=True, packages=("numpy", "PIL"))
    options = ("component_s",)

    def __init__(self, config: EngineConfig) -> None:
        super().__init__(config)
        self._component_s = _component_s(config.options.get("component_s") or {})

    @classmethod
    def warm(cls, model: ModelConfig) -> None:
        if model.artifact == "latent":
            importlib.import_module("torch")  # the format of latents is torch's

    def load(self, request: LoadRequest, progress: Progress) -> None:
        progress.stage("load", msg="mock engine")

    def generate(self, case: Case, progress: Progress) -> GeneratedMedia:
        start = time.perf_counter()
        image = first_frame(case)
        if image is None and case.model.workload == "i2v":
            raise UsageError(
                f"model={case.model.name} animates a first frame, but case {case.index} has none.",
                "Give one with image=path/to/frame.png, or in the prompt set.",
            )
        seconds = {name: _worked(wanted_s) for name, wanted_s in self._component_s.items()}
        for step in range(case.sampling.num_inference_steps):
            progress.step(step + 1, case.sampling.num_inference_steps)
        rng = np.random.Generator(np.random.Philox(key=_key(case)))
        noise = np.random.Generator(np.random.Philox(key=_key(case) ^ 1))
        scale = case.tier.perturb_weights
        if case.model.artifact == "latent":
            latent = rng.standard_normal(_latent_shape(case), dtype=np.float32)
            latent += scale * noise.standard_normal(latent.shape, dtype=np.float32)
            latent = (latent - latent.mean()) / latent.std()
            media = GeneratedMedia(latent=latent, latent_dtype="numpy.float32")
        elif case.model.modality == "audio":
            media = GeneratedMedia(audio=_sound(rng, case.sampling.audio_s or 1.0), audio_rate=AUDIO_RATE)
        else:
            height, width = case.sampling.height or HEIGHT, case.sampling.width or WIDTH
            first = None if image is None else np.asarray(image.resize((width, height)), np.float32) / 255
            frames = _clip(rng, (_frames(case), height, width), first, scale, noise)
            media = GeneratedMedia(frames=frames, fps=float(case.sampling.fps))
        media.dropped = _without_effect(case)
        media.seconds = seconds | {"total_s": time.perf_counter() - start}
        media.arguments = {"prompt": case.prompt, "seed": case.seed, "steps": case.sampling.num_inference_steps}
        return media

    def facts(self) -> dict[str, Any]:
        return {
            "engine": self.config.name,
            "versions": {"numpy": importlib.metadata.version("numpy")},
            "device": "mock",
            "attention_backend": "mock",
            "weights_revision": "mock",
        }


def _component_s(given: Any) -> dict[str, float]:
    if not isinstance(given, dict) or not set(given) <= set(COMPONENTS):
        raise UsageError(f"engine.options.component_s={given} must be seconds of: {', '.join(COMPONENTS)}.")
    found = {str(name): value for name, value in given.items()}
    for name, value in found.items():
        if not isinstance(value, (int, float)) or not 0 <= value <= 3600:
            raise UsageError(f"engine.options.component_s.{name}={value} must be seconds, 0 to 3600.")
    return found


def _worked(wanted_s: float) -> float:
    """Seconds that went by while nothing was done for ``wanted_s``."""
    start = time.perf_counter()
    time.sleep(wanted_s)
    return time.perf_counter() - start


def _without_effect(case: Case) -> dict[str, Any]:
    """Settings of the other modality."""
    names = ("height", "width", "num_frames") if case.model.modality == "audio" else ("audio_s",)
    return {name: value for name in names if (value := getattr(case.sampling, name)) is not None}


def _key(case: Case) -> int:
    """128 bits of everything that the output is a function of: parts of the recipe, so equal ones give equal bytes."""
    recipe = case.recipe
    facts = {key: recipe[key] for key in ("model_id", "prompt", "negative_prompt", "seed", "sampling", "image_sha256")}
    return int(sha256_bytes(canonical_json(facts).encode())[:32], 16)


def _frames(case: Case) -> int:
    return (case.sampling.num_frames or FRAMES) - case.model.constraints.frames_dropped


def _latent_shape(case: Case) -> tuple[int, ...]:
    """The model's latent shape, its unknown sizes computed from the sampling and the compression that limits imply."""
    if case.model.latent is None:
        raise UsageError(f"model.latent of model={case.model.name} must be given for artifact=latent.")
    sampling, limits, shape = case.sampling, case.model.constraints, case.model.latent.shape
    if case.model.modality == "audio":
        computed = [1, 64, max(8, math.ceil((sampling.audio_s or 1.0) * AUDIO_RATE / SAMPLES_PER_LATENT))]
    else:
        computed = [
            1,
            16,
            ((sampling.num_frames or FRAMES) - 1) // limits.frames_multiple + 1,
            (sampling.height or HEIGHT) // limits.size_multiple,
            (sampling.width or WIDTH) // limits.size_multiple,
        ]
    return tuple(known or size for known, size in zip(shape or computed, computed, strict=True))


def _sound(rng: np.random.Generator, seconds: float) -> NDArray[np.float32]:
    """A stereo chord that decays, float32 ``[2, samples]`` in [-1, 1]."""
    at = np.arange(round(seconds * AUDIO_RATE), dtype=np.float32) / AUDIO_RATE
    tones = rng.uniform(110, 880, (2, 3, 1))
    chord = np.sin(2 * np.pi * tones * at).mean(axis=1) * np.exp(-at / max(seconds, 0.1))
    return np.asarray(chord, np.float32)


def _clip(
    rng: np.random.Generator,
    size: tuple[int, int, int],
    first: Floats | None,
    perturbation: float,
    noise: np.random.Generator,
) -> NDArray[np.uint8]:
    """Plane waves in three colours that travel over a grain that drifts; uint8 ``[T, H, W, 3]``.

    With a first frame, the clip starts at exactly that frame and turns into the waves.
    """
    frames, height, width = size
    grain = rng.random((height, width, 1), dtype=np.float32)
    direction = rng.uniform(-12, 12, (WAVES, 2)).astype(np.float32)  # cycles over the frame
    speed = rng.uniform(-1.5, 1.5, WAVES)  # radians a frame
    colour = rng.uniform(-1, 1, (WAVES, 3)).astype(np.float32)
    drift = rng.integers(1, 4, 2)
    rows = np.linspace(0, 2 * np.pi, height, dtype=np.float32)[:, None]
    columns = np.linspace(0, 2 * np.pi, width, dtype=np.float32)[None, :]
    phases = [direction[wave, 0] * rows + direction[wave, 1] * columns for wave in range(WAVES)]
    clip = np.empty((frames, height, width, 3), np.uint8)
    for index in range(frames):
        picture = 0.5 + 0.2 * (np.roll(grain, drift * index, axis=(0, 1)) - 0.5)
        for wave, phase in enumerate(phases):
            picture = picture + 0.25 * np.sin(phase + np.float32(speed[wave] * index))[..., None] * colour[wave]
        if first is not None:
            kept = 0.75**index
            picture = kept * first + (1 - kept) * picture
        if perturbation:
            picture = picture + perturbation * noise.standard_normal(picture.shape, dtype=np.float32)
        clip[index] = np.rint(np.clip(picture, 0, 1) * 255)
    return clip
