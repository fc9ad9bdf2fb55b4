# SPDX-License-Identifier: Apache-2.0
"""Requests and cases as ``conf/`` has them, small enough that a generation takes a tenth of a second."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import OmegaConf
from PIL import Image

from fvhydra.config.backend import BackendConfig
from fvhydra.config.engine import EngineConfig
from fvhydra.config.gpu import GpuConfig
from fvhydra.config.model import ModelConfig
from fvhydra.config.sampling import Sampling
from fvhydra.config.schema import conf_dir
from fvhydra.config.tier import TierConfig
from fvhydra.core.case import Case
from fvhydra.core.files import sha256_file
from fvhydra.engines.base import GeneratedMedia, LoadRequest

MODELS = sorted(path.stem for path in (conf_dir() / "model").glob("*.yaml"))
TIERS = ("smoke", "default", "full_quality", "synthetic")
PROMPT = "A cat walking in the street, slow camera"
STEPS = 3
"""Denoising steps of a small case."""


def read(schema: type, *path: str) -> Any:
    """A file of ``conf/`` as an object of its dataclass, on top of those of its group that it builds on."""
    return OmegaConf.to_object(
        OmegaConf.merge(OmegaConf.structured(schema), *_layers(conf_dir() / path[0], "/".join(path[1:])))
    )


def _layers(group: Path, name: str) -> list[Any]:
    node: Any = OmegaConf.load(group / name)
    below = [f"{other.removesuffix('@_here_')}.yaml" for other in node.pop("defaults", []) if other != "_self_"]
    return [layer for other in below for layer in _layers(group, other)] + [node]


def model(name: str, **changes: Any) -> ModelConfig:
    """A model of ``conf/``, with other values."""
    found: ModelConfig = dataclasses.replace(read(ModelConfig, "model", f"{name}.yaml"), **changes)
    return found


def sampling(name: str, tier: str = "smoke", **changes: Any) -> Sampling:
    """Of a tier as ``conf/`` has it, but for ``smoke``: three steps of the smallest clips that the model makes."""
    found: Sampling = read(Sampling, "sampling", name, f"{tier}.yaml")
    if tier == "smoke":
        changes = {"num_inference_steps": STEPS, **(_smallest(model(name)) if found.height else {}), **changes}
    return dataclasses.replace(found, **changes)


def _smallest(model: ModelConfig) -> dict[str, int]:
    """Height, width and frames: a corner of 3 x 3 latents where the model is compared by those."""
    side = 3 * model.constraints.size_multiple if model.artifact == "latent" else 64
    return {"height": side, "width": side, "num_frames": model.constraints.frames_multiple + 1}


def tier(name: str = "smoke", **changes: Any) -> TierConfig:
    """A tier of ``conf/``, with other values."""
    found: TierConfig = dataclasses.replace(read(TierConfig, "tier", f"{name}.yaml"), **changes)
    return found


def backend(name: str = "torch_sdpa") -> BackendConfig:
    """An attention backend of ``conf/``."""
    found: BackendConfig = read(BackendConfig, "backend", f"{name}.yaml")
    return found


def gpu(count: int = 0) -> GpuConfig:
    """The CPU, or some GPUs."""
    if count == 0:
        return GpuConfig(name="cpu", folder="CPU", pattern=".*", count=0)
    return GpuConfig(name="b200", folder="B200", pattern=r"\bB200\b", count=count)


def request(name: str, cache_dir: Path, **changes: Any) -> LoadRequest:
    """What an engine is asked to load for small cases of a model."""
    values: dict[str, Any] = {
        "model": model(name),
        "sampling": sampling(name),
        "backend": backend(),
        "tier": tier(),
        "gpu": gpu(),
        "cache_dir": cache_dir,
        "with_image": model(name).workload == "i2v",
    }
    return LoadRequest(**values | changes)


def case(name: str, image: Path | None = None, **changes: Any) -> Case:
    """A small case of a model; ``image`` is its first frame where the model animates one."""
    values: dict[str, Any] = {
        "index": 0,
        "prompt": PROMPT,
        "seed": 7,
        "model": model(name),
        "sampling": sampling(name),
        "engine": "diffusers",
        "backend": backend(),
        "tier": tier(),
        "gpu": gpu(),
        "image": image if model(name).workload == "i2v" else None,
    }
    values |= changes
    picture = values["image"]
    return Case(**values, image_sha256=None if picture is None else sha256_file(picture))


def picture(path: Path, shift: int = 0) -> Path:
    """A colourful image of 96 x 64 pixels, without any symmetry."""
    rows, columns = np.mgrid[0:64, 0:96]
    channels = [columns * 2 + shift, rows * 3, (rows * columns + shift * 31) // 24]
    Image.fromarray((np.stack(channels, axis=-1) % 256).astype(np.uint8)).save(path)
    return path


def engine_config(name: str, **options: Any) -> EngineConfig:
    """An engine of ``conf/``, with other options."""
    found: EngineConfig = read(EngineConfig, "engine", f"{name}.yaml")
    return dataclasses.replace(found, options={**found.options, **options})


def output(media: GeneratedMedia) -> NDArray[Any]:
    """The compared artifact of a generation."""
    found = media.frames if media.frames is not None else media.latent
    assert found is not None
    return found


def distance(first: GeneratedMedia, second: GeneratedMedia) -> float:
    """Cosine distance of two artifacts."""
    a, b = (output(media).astype(np.float64).ravel() for media in (first, second))
    return float(1 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


class Steps:
    """A progress that counts, and cancels after ``stop_after`` steps."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.seen: list[tuple[int, int]] = []
        self.stop_after = stop_after

    def stage(self, stage: str, case: int | None = None, msg: str = "") -> None:
        """Of no interest here."""

    def step(self, done: int, total: int) -> None:
        self.seen.append((done, total))
        if done == self.stop_after:
            raise KeyboardInterrupt
