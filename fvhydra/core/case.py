# SPDX-License-Identifier: Apache-2.0
"""A case: one thing to generate, and the identity that decides whether two outputs may be compared at all."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from fvhydra.config.backend import BackendConfig
from fvhydra.config.gpu import GpuConfig
from fvhydra.config.model import ModelConfig
from fvhydra.config.sampling import Sampling
from fvhydra.config.tier import SYNTHETIC_VERSION, TINY_VERSION, TierConfig
from fvhydra.core.files import canonical_json, sha256_bytes


@dataclass(frozen=True)
class Case:
    """One thing to generate: model x engine x attention backend x tier x gpu x prompt x seed."""

    index: int
    prompt: str
    seed: int
    model: ModelConfig
    sampling: Sampling
    engine: str
    backend: BackendConfig
    tier: TierConfig
    gpu: GpuConfig
    negative_prompt: str | None = None
    image: Path | None = None
    image_sha256: str | None = None
    shares_stem: bool = False
    """Another prompt of the same set comes earlier and has the same first 100 characters."""
    sample: dict[str, Any] = field(default_factory=dict)
    """What an evaluation is told of the clip beside its prompt. It does not decide the output."""

    @property
    def recipe(self) -> dict[str, Any]:
        """What *should* decide the output. Two artifacts are comparable exactly when their recipes are equal.

        Left out on purpose, recorded as provenance instead: versions of the engine and libraries, driver, host, commit
        (finding out whether those change the output is what a check is for), and CPU threads (within tolerance).
        """
        return dict(self._recipe)

    @cached_property
    def _recipe(self) -> dict[str, Any]:
        sampling = {
            # the seed and the negative prompt stand below, as the case resolved them
            key: value
            for key, value in dataclasses.asdict(self.sampling).items()
            if key not in ("seed", "negative_prompt", "num_gpus", "sp_size", "preset", "stage_overrides")
        }
        if self.sampling.preset is not None:  # absent where there is none, as in recipes from before there were any
            sampling["preset"] = f"{self.sampling.preset}@{self.model.presets[self.sampling.preset].version}"
        if self.sampling.stage_overrides:
            sampling["stage_overrides"] = self.sampling.stage_overrides
        return {
            "model_id": self.model.model_id,
            # tiny weights are as much part of the answer as real ones; their version stands for their bytes
            "weights": self._weights(),
            "artifact": self.model.artifact,
            "dtype": "float32" if self.tier.weights == "tiny" else self.model.dtype,
            "component_dtypes": {} if self.tier.weights == "tiny" else dict(self.model.component_dtypes),
            "sampling": sampling,
            "call": {**self.model.call, **(self.model.smoke_call if self.tier.weights == "tiny" else {})},
            "prompt": self.prompt,
            "negative_prompt": self.negative_prompt,
            "seed": self.seed,
            # the bytes, not the path: the same picture under another name is the same case
            "image_sha256": self.image_sha256,
            "engine": self.engine,
            # asked for, not resolved: a silently degraded backend must be compared with the good reference, and fail
            "backend": self.backend.folder,
            # reductions across ranks change rounding, so the layout is identity although the host is not
            "parallel": {"num_gpus": self.gpu.count, "sp_size": self.sampling.sp_size},
        }

    def _weights(self) -> dict[str, Any]:
        if self.tier.weights == "tiny":
            outside = self.model.tiny
            version = f"{TINY_VERSION}.{outside.version}" if outside else f"{TINY_VERSION}"
            return {"repo": f"tiny:{self.model.family}", "revision": version}
        if self.tier.weights == "synthetic":
            return {"repo": f"synthetic:{self.model.architecture}", "revision": str(SYNTHETIC_VERSION)}
        return {"repo": self.model.weights, "revision": self.model.revision}

    @cached_property
    def fingerprint(self) -> str:
        """Hex SHA-256 of the recipe's canonical JSON."""
        return sha256_bytes(canonical_json(self.recipe).encode())

    @property
    def default_seed(self) -> bool:
        """Whether the seed is the one that the model's references are made with."""
        return self.seed == self.sampling.seed
