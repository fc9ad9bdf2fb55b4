# SPDX-License-Identifier: Apache-2.0
"""``engine=fastvideo``: FastVideo's ``VideoGenerator``, through its typed API."""

from __future__ import annotations

import importlib.metadata
import os
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from fvhydra.core.errors import FvhydraError, InfrastructureError, UsageError
from fvhydra.core.out_of_memory import out_of_memory
from fvhydra.core.progress import Progress
from fvhydra.engines.base import Capabilities, Engine, GeneratedMedia, LoadRequest

if TYPE_CHECKING:
    from fvhydra.core.case import Case

INSTALL = "pip install fastvideo  (Python 3.12, Linux, an NVIDIA GPU; its pins need an environment of its own)"
FSDP_SYMPTOM = "Inference tensors do not track version counter"
WORKLOADS = {"t2v": "t2v", "i2v": "i2v", "ti2v": "t2v"}
"""Our workloads to FastVideo's; text to audio has no word there and is left to the model's own registration."""
PRECISIONS = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}
STAGES = {
    "prompt_encoding_stage": "text_encoder_time_s",
    "denoising_stage": "dit_time_s",
    "decoding_stage": "vae_decode_time_s",
}
"""FastVideo's stages (logged when ``FASTVIDEO_STAGE_LOGGING=1``) to the component times of ``GeneratedMedia``."""


class FastVideoEngine(Engine):
    """An adapter over ``fastvideo.VideoGenerator``.

    **This project has not run it on a GPU.** The mapping of arguments is tested against the field names of FastVideo's
    typed API; what the workers do with them is not. The attention backend is asked for by environment variable; the
    workers do not report what they resolved, and ``facts`` says so.

    The typed API takes mappings, and only what is in them counts as chosen: everything else stays with FastVideo's
    preset of the model. ``model.fastvideo`` is merged over the mapping, in FastVideo's own words.
    """

    capabilities = Capabilities(
        weights=("hub",), undivided={"DISABLE_SP": "1"}, cpu=False, packages=("fastvideo",), install=INSTALL
    )

    _generator: Any = None

    def load(self, request: LoadRequest, progress: Progress) -> None:
        # read by FastVideo while it is imported
        if request.backend.asked:
            os.environ["FASTVIDEO_ATTENTION_BACKEND"] = request.backend.folder
        else:
            os.environ.pop("FASTVIDEO_ATTENTION_BACKEND", None)
        os.environ.setdefault("FASTVIDEO_STAGE_LOGGING", "1")
        try:
            from fastvideo import VideoGenerator
        except ImportError as error:  # it is there, and something that it needs is not
            raise UsageError(f"fastvideo cannot be imported in this interpreter ({error}).", INSTALL) from error
        from fvhydra.engines.pipeline import device, weights

        device_name = device.verify(request.gpu)
        revision = weights.resolve_revision(request.model)
        loaded = {} if weights.local_folder(request.model) else {"revision": revision}
        progress.stage("load", msg=request.model.weights)
        try:
            self._generator = VideoGenerator.from_config(generator_config(request) | loaded)
        except Exception as error:
            raise explained(error) from error
        self._facts = {
            "engine": self.config.name,
            "versions": {name: importlib.metadata.version(name) for name in ("fastvideo", "torch")},
            "device": device_name,
            "attention_backend": f"{request.backend.folder} (asked for; FastVideo does not report the resolved one)",
            "weights_revision": revision,
        }

    def generate(self, case: Case, progress: Progress) -> GeneratedMedia:
        request, steps = generation_request(case), case.sampling.num_inference_steps
        progress.step(0, steps)  # the loop runs in worker processes that report nothing in between
        start = time.perf_counter()
        try:
            result = self._generator.generate(request)
        except Exception as error:
            raise explained(error) from error
        elapsed = time.perf_counter() - start
        progress.step(steps, steps)
        media = to_media(result, case)
        media.seconds["total_s"] = elapsed
        media.arguments, media.dropped = request, dropped(case)
        return media

    def facts(self) -> dict[str, Any]:
        return self._facts

    def close(self) -> None:
        if self._generator is not None:
            self._generator.shutdown()
            self._generator = None


def generator_config(request: LoadRequest) -> dict[str, Any]:
    """What ``VideoGenerator.from_config`` is given: a sparse mapping of ``GeneratorConfig``."""
    model, sampling = request.model, request.sampling
    experimental: dict[str, Any] = {"flow_shift": sampling.flow_shift}
    if model.artifact == "latent":
        experimental["output_type"] = "latent"
    if "text_encoder" in model.component_dtypes:
        experimental["text_encoder_precisions"] = [PRECISIONS[model.component_dtypes["text_encoder"]]]
    if "vae" in model.component_dtypes:
        experimental["vae_precision"] = PRECISIONS[model.component_dtypes["vae"]]
    config = {
        "model_path": model.weights,
        "engine": {
            "num_gpus": request.gpu.count,
            "parallelism": {"sp_size": sampling.sp_size, "tp_size": 1},
            # on one rank FSDP unshards inference tensors, which fails (FSDP_SYMPTOM)
            "use_fsdp_inference": sampling.sp_size > 1,
        },
        "pipeline": {
            "workload_type": "i2v" if request.with_image else WORKLOADS.get(model.workload),
            "vae_tiling": sampling.vae_tiling or None,
            "experimental": _without_nulls(experimental),
        },
    }
    return _merged(_without_nulls(config), model.fastvideo)


def generation_request(case: Case) -> dict[str, Any]:
    """What ``VideoGenerator.generate`` is given: a sparse mapping of ``GenerationRequest``."""
    sampling = case.sampling
    request = {
        "prompt": case.prompt,
        "negative_prompt": case.negative_prompt,
        "inputs": {"image_path": None if case.image is None else case.image.as_posix()},
        "sampling": {
            "seed": case.seed,
            "num_inference_steps": sampling.num_inference_steps,
            "guidance_scale": sampling.guidance_scale,
            "height": sampling.height,
            "width": sampling.width,
            "num_frames": sampling.num_frames,
            "fps": sampling.fps,
        },
        "stage_overrides": dict(sampling.stage_overrides),
        "output": {"save_video": False, "return_frames": True},
    }
    return _without_nulls(request)


def dropped(case: Case) -> dict[str, Any]:
    """Fields of the case that FastVideo's request has no place for."""
    fields = {"audio_s": case.sampling.audio_s, "call": dict(case.model.call) or None}
    return {key: value for key, value in fields.items() if value is not None}


def to_media(result: Any, case: Case) -> GeneratedMedia:
    """From FastVideo's ``GenerationResult`` to arrays.

    Raises:
        InfrastructureError: A latent was asked for and none came back.
    """
    media = GeneratedMedia()
    if case.model.artifact == "latent":
        rank = 3 if case.model.modality == "audio" else 5
        if getattr(result.samples, "ndim", None) != rank:
            raise InfrastructureError(f"FastVideo returned no latent of {rank} dimensions, output_type=latent or not.")
        media.latent = result.samples.detach().float().cpu().numpy()
        media.latent_dtype = str(result.samples.dtype)
    elif result.frames is not None:
        media.frames, media.fps = np.stack([np.asarray(frame, np.uint8) for frame in result.frames]), case.sampling.fps
    if result.audio is not None and case.model.artifact != "latent":
        sound = result.audio
        sound = np.asarray(sound.detach().float().cpu().numpy() if hasattr(sound, "detach") else sound, np.float32)
        sound = np.atleast_2d(sound.squeeze())
        # either [channels, samples] or [samples, channels]; there are always fewer channels
        media.audio = sound if sound.shape[0] <= sound.shape[1] else sound.T
        media.audio_rate = result.audio_sample_rate
    if (peak := getattr(result, "peak_memory_mb", None)) is not None:  # of the rank that reports
        media.memory_mb = {"cuda": float(peak)}
    for stage, data in (getattr(result.logging_info, "stages", None) or {}).items():
        if stage in STAGES and "execution_time" in data:
            media.seconds[STAGES[stage]] = float(data["execution_time"])
    return media


def explained(error: Exception) -> FvhydraError:
    """FastVideo's failure in one sentence, with the way on where it is known."""
    if isinstance(error, FvhydraError):
        return error
    if full := out_of_memory(error, "running FastVideo", "Try sampling.vae_tiling=true or a larger gpu=."):
        return full
    text = str(error).strip() or type(error).__name__
    if FSDP_SYMPTOM in text:
        return InfrastructureError(
            f'FastVideo failed with "{FSDP_SYMPTOM}": FSDP inference does not work on a single rank.',
            "Set model.fastvideo.engine.use_fsdp_inference=false (the default when sampling.sp_size is 1).",
        )
    return InfrastructureError(f"FastVideo failed: {text.splitlines()[-1].rstrip('.')}.")


def _without_nulls(value: dict[str, Any]) -> dict[str, Any]:
    """A copy without nulls and without mappings that are empty then: absent means "the model's own" to FastVideo."""
    cleaned = {key: _without_nulls(item) if isinstance(item, dict) else item for key, item in value.items()}
    return {key: item for key, item in cleaned.items() if item is not None and item != {}}


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged
