# SPDX-License-Identifier: Apache-2.0
"""``model=``: what is generated, where its weights are, and what its references must satisfy."""

from __future__ import annotations

from typing import Annotated, Any

from omegaconf import MISSING
from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import Name, Positive, PositiveFloat, doc, one_of


@dataclass
class PixelGate:
    """Limits for decoded video, on the per-frame MS-SSIM against the reference (1 is identical)."""

    mean_ms_ssim: Annotated[float, Field(ge=0, le=1)] = doc("Lowest passing mean over the frames", 0.93)
    min_ms_ssim: Annotated[float, Field(ge=0, le=1)] | None = doc("Lowest passing single frame; null: no limit", None)


@dataclass
class LatentGate:
    """Limits for pre-VAE latents: cosine distance ``1 - cos`` to the reference (0 is identical)."""

    slice_cosine: Annotated[float, Field(ge=0, le=2)] = doc("Highest passing distance of the slices", 5e-3)
    full_cosine: Annotated[float, Field(ge=0, le=2)] = doc("Highest passing distance of the full tensors", 1e-2)


@dataclass
class LatentSpec:
    """What a sane latent of this model looks like. Checked when seeding, before anybody is asked to approve it."""

    slice_kind: str = doc("Signature that is stored in full precision, see fvhydra.media.latent", MISSING)
    shape: list[int | None] = doc("Expected shape; null is any size", factory=list)
    mean_abs_max: PositiveFloat = doc("Highest sane |mean|", 1.0)
    std_min: PositiveFloat = doc("Lowest sane standard deviation", 0.3)
    std_max: PositiveFloat = doc("Highest sane standard deviation", 3.0)


@dataclass
class Constraints:
    """Sizes that the model can really produce. Libraries round others silently; here they are an error."""

    frames_multiple: Positive = doc("num_frames must be a multiple of this plus one", 1)
    frames_also: list[int] = doc("Legal num_frames off that grid: what known references were made with", factory=list)
    size_multiple: Positive = doc("height and width must be a multiple of this", 1)
    frames_dropped: Annotated[int, Field(ge=0)] = doc("Frames fewer than asked that come out", 0)


@dataclass
class TinyFamily:
    """Small weights of a family that fvhydra does not build by itself."""

    _target_: str = doc("Dotted path of a class derived from fvhydra.engines.tiny_family.TinyFamily", MISSING)
    version: Positive = doc("Raised when what it builds changes; part of the recipe of tiny weights", 1)


@dataclass
class Default:
    """A setting of a preset."""

    value: Any = doc("Its value, as the key of sampling has it", MISSING)
    source: str = doc("Where that stands: a default is never from memory", MISSING)


@dataclass
class Preset:
    """Settings under a name and a version, as the official side or the family gives them."""

    version: Positive = doc("Raised when a value changes; part of the recipe", MISSING)
    defaults: dict[str, Default] = doc("Keys of sampling: their value, and where it stands", factory=dict)
    stage_schemas: dict[str, list[str]] = doc("Stage: names that sampling.stage_overrides may give it", factory=dict)


@dataclass
class ModelConfig:
    """A model, as the reference data sets know it."""

    name: Name = doc("The word after model=", MISSING)
    model_id: Name = doc("Folder of the model in reference paths", MISSING)
    family: str = doc("Architecture: picks the tiny builder (fvhydra.engines.tiny)", MISSING)
    workload: Annotated[str, one_of("t2v", "i2v", "ti2v", "t2a")] = doc(
        "t2v text to video, i2v image to video, ti2v image optional, t2a text to audio", MISSING
    )
    artifact: Annotated[str, one_of("pixel", "latent")] = doc("What is compared: pixel (.mp4) or latent (.pt)", MISSING)
    weights: str = doc("Hub repository of the weights", MISSING)
    revision: str | None = doc("Commit of the weights (40 hex digits); null: today's main, resolved and recorded", None)
    architecture: str | None = doc(
        "Full-size components for tier=synthetic: a name in conf/architectures/, or a .json file", None
    )
    pipeline: str = doc("Class of the diffusers pipeline", MISSING)
    image_pipeline: str | None = doc("Class to use instead when a case has an image", None)
    dtype: Annotated[str, one_of("float32", "bfloat16", "float16")] = doc("dtype of real weights", "bfloat16")
    component_dtypes: dict[str, str] = doc("dtype of single components, for example {vae: float32}", factory=dict)
    constraints: Constraints = doc("Sizes the model can produce", factory=Constraints)
    pixel_gate: PixelGate = doc("Limits for artifact=pixel", factory=PixelGate)
    latent_gate: LatentGate = doc("Limits for artifact=latent", factory=LatentGate)
    latent: LatentSpec | None = doc("What a sane latent looks like (artifact=latent)", None)
    call: dict[str, Any] = doc("Further arguments of the pipeline's call, checked by name", factory=dict)
    smoke_call: dict[str, Any] = doc("The same, only for tiny weights", factory=dict)
    tiny: TinyFamily | None = doc("Builder of tiny weights from outside; null: that of the family", None)
    presets: dict[str, Preset] = doc("Presets of the family by name, for sampling.preset", factory=dict)
    fastvideo: dict[str, Any] = doc("Further engine arguments for engine=fastvideo", factory=dict)

    @model_validator(mode="after")
    def _latents_are_described(self) -> ModelConfig:
        if self.artifact == "latent" and self.latent is None:
            raise ValueError("artifact is latent, so model.latent (slice_kind, shape) must be given")
        return self

    @property
    def modality(self) -> str:
        """``video`` or ``audio``."""
        return "audio" if self.workload == "t2a" else "video"

    @property
    def extension(self) -> str:
        """File extension of the model's references, with the dot."""
        return ".pt" if self.artifact == "latent" else ".mp4"
