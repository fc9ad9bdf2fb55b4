# SPDX-License-Identifier: Apache-2.0
"""Requests and cases as ``conf/`` composes them, small enough that a generation takes a tenth of a second."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
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
TIERS = ("smoke", "default", "full_quality")
PROMPT = "A cat walking in the street, slow camera"


def read(schema: type, *path: str) -> Any:
    node = OmegaConf.merge(OmegaConf.structured(schema), OmegaConf.load(conf_dir().joinpath(*path)))
    return OmegaConf.to_object(node)


def model(name: str, **changes: Any) -> ModelConfig:
    return dataclasses.replace(read(ModelConfig, "model", f"{name}.yaml"), **changes)


def sampling(name: str, tier: str = "smoke", **changes: Any) -> Sampling:
    found: Sampling = read(Sampling, "sampling", name, f"{tier}.yaml")
    if tier == "smoke":
        small = 96 if name == "ltx2" else 64
        sizes = {"height": small, "width": small} if found.height else {}
        if name.startswith(("wan", "hunyuan")):  # 4k+1; the others need 8k+1
            sizes["num_frames"] = 5
        changes = {"num_inference_steps": 3, **sizes, **changes}
    return dataclasses.replace(found, **changes)


def tier(name: str = "smoke", **changes: Any) -> TierConfig:
    return dataclasses.replace(read(TierConfig, "tier", f"{name}.yaml"), **changes)


def backend(name: str = "torch_sdpa") -> BackendConfig:
    found: BackendConfig = read(BackendConfig, "backend", f"{name}.yaml")
    return found


def gpu(count: int = 0) -> GpuConfig:
    if count == 0:
        return GpuConfig(name="cpu", folder="CPU", pattern=".*", count=0)
    return GpuConfig(name="b200", folder="B200", pattern=r"\bB200\b", count=count)


def request(name: str, cache_dir: Path, **changes: Any) -> LoadRequest:
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
    found: EngineConfig = read(EngineConfig, "engine", f"{name}.yaml")
    return dataclasses.replace(found, options={**found.options, **options})


def output(media: GeneratedMedia) -> np.ndarray[Any, Any]:
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

    def stage(self, stage: str, case: int | None = None, msg: str = "") -> None: ...

    def step(self, done: int, total: int) -> None:
        self.seen.append((done, total))
        if done == self.stop_after:
            raise KeyboardInterrupt
