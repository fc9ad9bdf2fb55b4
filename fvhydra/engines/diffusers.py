# SPDX-License-Identifier: Apache-2.0
"""``engine=diffusers``: any pipeline of Hugging Face diffusers, with tiny or real weights."""

from __future__ import annotations

import importlib.metadata
import inspect
from typing import Any

import diffusers
import torch

from fvhydra.config.engine import EngineConfig
from fvhydra.config.model import ModelConfig
from fvhydra.core.case import Case
from fvhydra.core.errors import InfrastructureError, UsageError, nearest
from fvhydra.core.progress import Progress
from fvhydra.engines.base import Engine, GeneratedMedia, LoadRequest
from fvhydra.engines.images import first_frame
from fvhydra.engines.pipeline import arguments, attention, device, outputs, steps, times, weights
from fvhydra.engines.quiet import quiet_libraries
from fvhydra.engines.tiny import snapshot
from fvhydra.engines.tiny.weights import perturb

LIBRARIES = ("torch", "diffusers", "transformers", "accelerate", "tokenizers", "numpy")
OFFLOADS = {"none": None, "model": "enable_model_cpu_offload", "sequential": "enable_sequential_cpu_offload"}


class DiffusersEngine(Engine):
    """Calls a diffusers pipeline, uniformly over text-to-video, image-to-video, text-to-audio and joint audio-video.

    One process, one device. ``sampling.num_gpus`` and ``sampling.sp_size`` above 1 describe how an engine *splits* the
    same computation, so a case that asks for them still runs here, and they are listed in ``dropped``. ``gpu.count``
    devices must be present all the same, because the result is filed under that hardware; the first one is used.

    Option ``engine.options.offload``: ``none`` (default) keeps every component on the device, ``model`` and
    ``sequential`` move components or layers there as they are needed (diffusers' CPU offload), slower and smaller.
    """

    def __init__(self, config: EngineConfig) -> None:
        super().__init__(config)
        self._offload = str(config.options.get("offload", "none"))
        unknown = sorted(set(config.options) - {"offload"})
        if unknown:
            raise UsageError(f"engine.options.{unknown[0]} is unknown to engine={config.name}; it knows offload.")
        if self._offload not in OFFLOADS:
            raise UsageError(f"engine.options.offload={self._offload} must be one of: {', '.join(OFFLOADS)}.")
        self._pipe: Any = None
        self._facts: dict[str, Any] = {}

    @classmethod
    def warm(cls, model: ModelConfig) -> None:
        with quiet_libraries():
            getattr(diffusers, model.pipeline, None)  # diffusers imports a pipeline when it is asked for

    def load(self, request: LoadRequest, progress: Progress) -> None:
        device_name = device.verify(request.gpu)
        if request.tier.perturb_weights and request.tier.weights != "tiny":
            raise UsageError("tier.perturb_weights is for tiny weights only; real weights are never changed.")
        if request.threads:
            torch.set_num_threads(request.threads)
        if request.gpu.count:
            torch.backends.cudnn.deterministic = True  # the same case must give the same bits
        with quiet_libraries():
            pipeline = _pipeline_class(request)
        progress.stage("load", msg=f"{request.model.weights if request.tier.weights == 'hub' else 'tiny weights'}")
        self._pipe, revision = self._load_weights(request, pipeline)
        self._parameters = inspect.signature(pipeline.__call__).parameters
        self._scheduler = self._pipe.scheduler
        self._pipe.set_progress_bar_config(disable=True)
        if request.tier.perturb_weights:
            for name, network in attention.denoisers(self._pipe).items():
                perturb(network, name, seed=0, scale=request.tier.perturb_weights)
        backend = attention.select(self._pipe, request.backend)
        self._place(request)
        self._facts = {
            "engine": self.config.name,
            "versions": {name: importlib.metadata.version(name) for name in LIBRARIES},
            "device": device_name,
            "attention_backend": backend,
            "weights_revision": revision,
            "pipeline": pipeline.__name__,
            "threads": torch.get_num_threads(),
        }

    def generate(self, case: Case, progress: Progress) -> GeneratedMedia:
        wants_latent = case.model.artifact == "latent"
        call = arguments.build_call(case, self._parameters, type(self._pipe).__name__)
        self._prepare(case, call)
        objects: dict[str, Any] = {
            # a CPU generator draws the same noise on every device
            "generator": torch.Generator("cpu").manual_seed(case.seed),
            "output_type": "latent" if wants_latent else "np",
        }
        if case.image is not None and "image" in self._parameters:
            objects["image"] = first_frame(case)
        with times.measured(self._pipe) as seconds, steps.reported(self._pipe, self._parameters, progress) as reporting:
            output = self._run({**call.arguments, **objects, **reporting})
        if wants_latent:
            media = outputs.latent(self._pipe, output, case.sampling.num_frames)
        else:
            media = outputs.decoded(self._pipe, output, case.sampling.fps)
        media.seconds, media.arguments, media.dropped = seconds, call.arguments, call.dropped
        return media

    def facts(self) -> dict[str, Any]:
        return self._facts

    def close(self) -> None:
        self._pipe = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _load_weights(self, request: LoadRequest, pipeline: type) -> tuple[Any, str]:
        if request.tier.weights == "hub":
            revision = weights.resolve_revision(request.model)
            return weights.load_pipeline(request.model, pipeline, revision), revision
        folder = snapshot.build_snapshot(request.model.family, request.cache_dir)
        loader: type[diffusers.DiffusionPipeline] = pipeline
        with quiet_libraries():
            return loader.from_pretrained(folder, local_files_only=True), f"tiny:{folder.name}"

    def _place(self, request: LoadRequest) -> None:
        offload = OFFLOADS[self._offload]
        if request.gpu.device == "cpu" or offload is None:
            self._pipe.to(request.gpu.device)
        else:
            getattr(self._pipe, offload)(device="cuda")

    def _prepare(self, case: Case, call: arguments.PipelineCall) -> None:
        """Set what is not an argument: the scheduler, fresh for each case so that none inherits state, and tiling."""
        shift = case.sampling.flow_shift
        options = _flow_shift(self._scheduler, shift) if shift is not None else {}
        if shift is not None and not options:
            call.dropped["flow_shift"] = shift
        self._pipe.scheduler = type(self._scheduler).from_config(self._scheduler.config, **options)
        tiling = getattr(self._pipe.vae, "enable_tiling" if case.sampling.vae_tiling else "disable_tiling", None)
        if tiling is not None:
            tiling()
        elif case.sampling.vae_tiling:
            call.dropped["vae_tiling"] = True

    def _run(self, call: dict[str, Any]) -> Any:
        try:
            with quiet_libraries():
                return self._pipe(**call)
        except torch.OutOfMemoryError as error:
            raise InfrastructureError(
                f"The GPU ran out of memory while generating ({str(error).splitlines()[0]}).",
                "Try engine.options.offload=model, sampling.vae_tiling=true, or a larger gpu=.",
            ) from error
        finally:
            self._pipe.maybe_free_model_hooks()  # after a cancel the pipeline does not get to it


def _pipeline_class(request: LoadRequest) -> type:
    model = request.model
    key, name = "model.pipeline", model.pipeline
    if request.with_image and model.image_pipeline:
        key, name = "model.image_pipeline", model.image_pipeline
    found = getattr(diffusers, name, None) if name in dir(diffusers) else None
    if not isinstance(found, type):
        version = importlib.metadata.version("diffusers")
        raise UsageError(f"{key}={name} is not a class of diffusers {version}.{nearest(name, dir(diffusers))}")
    return found


def _flow_shift(scheduler: Any, shift: float) -> dict[str, float]:
    """The option of ``scheduler`` that shifts its timesteps; none where there is no such thing."""
    if "flow_shift" in scheduler.config:
        return {"flow_shift": shift}
    if "shift" in scheduler.config and not scheduler.config.get("use_dynamic_shifting"):
        return {"shift": shift}
    return {}
