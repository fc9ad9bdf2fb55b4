# SPDX-License-Identifier: Apache-2.0
"""A diffusers pipeline that is ready: loaded, on its device, with the attention backend that was asked for."""

from __future__ import annotations

import contextlib
import importlib.metadata
import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import diffusers
import torch

from fvhydra.core.checks import Check
from fvhydra.core.errors import UsageError, nearest
from fvhydra.core.machine import cpus
from fvhydra.core.out_of_memory import memory_explained
from fvhydra.core.progress import Progress
from fvhydra.engines.base import GeneratedMedia, LoadRequest, Trace, TraceRequest
from fvhydra.engines.components import ComponentRun, RecordedComponent, Recording
from fvhydra.engines.images import first_frame
from fvhydra.engines.pipeline import arguments, attention, device, inspection, noise, outputs, steps, synthetic, times, weights
from fvhydra.engines.pipeline.recording import Recorder, dtype_of
from fvhydra.engines.pipeline.replay import first_line, run_component
from fvhydra.engines.pipeline.trace import Tracer
from fvhydra.engines.quiet import quiet_libraries
from fvhydra.engines.tiny import snapshot
from fvhydra.engines.tiny.weights import perturb

if TYPE_CHECKING:
    from fvhydra.core.case import Case

LIBRARIES = ("torch", "diffusers", "transformers", "accelerate", "tokenizers", "numpy")


class LoadedPipeline:
    """The model of one load, for any number of cases.

    Args:
        request: What to make ready.
        offload: Method of the pipeline that moves components to the GPU as they are needed; None: all stay there.
        progress: Hears of the load.

    Raises:
        UsageError, InfrastructureError: See :meth:`fvhydra.engines.base.Engine.load`.
    """

    def __init__(self, request: LoadRequest, offload: str | None, progress: Progress) -> None:
        device_name = device.verify(request.gpu)
        self._device = request.gpu.device
        if request.tier.perturb_weights and request.tier.weights != "tiny":
            raise UsageError("tier.perturb_weights is for tiny weights only; real weights are never changed.")
        if request.gpu.count:
            torch.backends.cudnn.deterministic = True  # the same case must give the same bits
        with quiet_libraries():
            pipeline = _pipeline_class(request)
        attention.check(request.backend)
        kind = request.tier.weights
        progress.stage("load", msg=request.model.weights if kind == "hub" else f"{kind} weights")
        self._hints = _what_needs_less(request, offload)
        # with any number of threads the bytes are the same, and with all of them they come sooner
        with memory_explained("loading", self._hints), _threads(cpus()):
            self.pipe, revision = _load_weights(request, pipeline, offload)
        inspection.refuse_missing(self.pipe, request.model.weights if kind == "hub" else f"{kind} weights")
        path = Path(str(self.pipe.config.get("_name_or_path") or "."))
        self._folder = path if kind != "synthetic" and (path / inspection.INDEX).is_file() else None
        classes = {request.model.pipeline, *filter(None, [request.model.image_pipeline])}
        self._aliases = tuple(sorted(classes - {pipeline.__name__}))
        self._parameters = inspect.signature(pipeline.__call__).parameters
        self._scheduler = self.pipe.scheduler
        self.pipe.set_progress_bar_config(disable=True)
        if request.tier.perturb_weights:
            for name, network in attention.denoisers(self.pipe).items():
                perturb(network, name, seed=0, scale=request.tier.perturb_weights)
        self._drawn_in: torch.dtype | None = None
        if request.compute_dtype is not None:
            self._drawn_in = dtype_of(next(iter(attention.denoisers(self.pipe).values())), [])
            with memory_explained("casting the model", self._hints):
                self.pipe.to(getattr(torch, request.compute_dtype))
        backend = attention.select(self.pipe, request.backend)
        if request.threads:
            torch.set_num_threads(request.threads)
        with memory_explained("placing the model", self._hints):
            if self._device == "cpu" or offload is None:
                self.pipe.to(self._device)
            else:
                getattr(self.pipe, offload)(device="cuda")
        self.facts: dict[str, Any] = {
            "versions": {name: importlib.metadata.version(name) for name in LIBRARIES},
            "device": device_name,
            "attention_backend": backend,
            "weights_revision": revision,
            "pipeline": pipeline.__name__,
        }
        if self._device == "cpu":  # where sums are split among them; a GPU gives the same bits with any number
            self.facts["threads"] = torch.get_num_threads()

    def trace(self, case: Case, request: TraceRequest, progress: Progress) -> Trace:
        """See :meth:`fvhydra.engines.base.Engine.trace`."""
        tracer = Tracer(request)
        media = self.generate(case, progress, tracer.attached)
        given = {"latent": media.latent, "frames": media.frames, "audio": media.audio}
        tracer.output({name: value for name, value in given.items() if value is not None})
        return Trace(media, tracer.rows, tracer.matched)

    def generate(
        self,
        case: Case,
        progress: Progress,
        hooks: Callable[[Any], AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> GeneratedMedia:
        """See :meth:`fvhydra.engines.base.Engine.generate`.

        Args:
            case: What to generate.
            progress: Hears of each step.
            hooks: Are around the call of the pipeline.
        """
        wants_latent = case.model.artifact == "latent"
        call = arguments.build_call(case, self._parameters, type(self.pipe).__name__)
        self._prepare(case, call)
        objects: dict[str, Any] = {
            # a CPU generator draws the same noise on every device
            "generator": torch.Generator("cpu").manual_seed(case.seed),
            "output_type": "latent" if wants_latent else "np",
        }
        if case.image is not None and "image" in self._parameters:
            objects["image"] = first_frame(case)
        with (
            device.peak_memory(self._device) as memory_mb,
            times.measured(self.pipe, self._device) as seconds,
            steps.reported(self.pipe, self._parameters, progress) as reporting,
            noise.drawn_in(self._drawn_in) if self._drawn_in is not None else contextlib.nullcontext(),
            hooks(self.pipe),
        ):
            output = self._run({**call.arguments, **objects, **reporting})
        if wants_latent:
            media = outputs.latent(self.pipe, output, case.sampling.num_frames)
        else:
            media = outputs.decoded(self.pipe, output, case.sampling.fps)
        media.seconds, media.memory_mb = seconds, memory_mb
        media.arguments, media.dropped = call.arguments, call.dropped
        return media

    def record_components(self, case: Case, folder: Path, progress: Progress) -> Recording:
        """See :meth:`fvhydra.engines.base.Engine.record_components`."""
        recorder, failed = Recorder(), ""
        try:
            self.generate(case, progress, recorder.attached)
        except UsageError:
            raise  # nothing was run
        except Exception as error:  # what had been called until then tells where it fails
            failed = f"the generation failed with {type(error).__name__}: {first_line(error)}"
        return Recording(list(recorder.written(self.pipe, folder, failed)), failed)

    def run_component(self, case: Case, recorded: RecordedComponent, dtype: str | None) -> ComponentRun:
        """See :meth:`fvhydra.engines.base.Engine.run_component`."""
        self._prepare(case, arguments.build_call(case, self._parameters, type(self.pipe).__name__))
        with quiet_libraries():
            return run_component(self.pipe, recorded, dtype)

    def inspect(self, case: Case) -> list[Check]:
        """See :meth:`fvhydra.engines.base.Engine.inspect`."""
        found = list(inspection.inspected(self.pipe, self._folder, self._aliases))
        found.append(inspection.refuses_unknown_arguments(case, self._parameters, type(self.pipe).__name__))
        return found

    def close(self) -> None:
        """Give the memory back."""
        self.pipe = None
        if self._device == "cuda":
            torch.cuda.empty_cache()

    def _prepare(self, case: Case, call: arguments.PipelineCall) -> None:
        """Set what is not an argument: the scheduler, fresh for each case so that none inherits state, and tiling."""
        shift = case.sampling.flow_shift
        options = _flow_shift(self._scheduler, shift) if shift is not None else {}
        if shift is not None and not options:
            call.dropped["flow_shift"] = shift
        self.pipe.scheduler = type(self._scheduler).from_config(self._scheduler.config, **options)
        tiling = getattr(self.pipe.vae, "enable_tiling" if case.sampling.vae_tiling else "disable_tiling", None)
        if tiling is not None:
            tiling()
        elif case.sampling.vae_tiling:
            call.dropped["vae_tiling"] = True

    def _run(self, call: dict[str, Any]) -> Any:
        try:
            with quiet_libraries(), memory_explained("generating", self._hints):
                return self.pipe(**call)
        finally:
            self.pipe.maybe_free_model_hooks()  # after a cancel the pipeline does not get to it


def _what_needs_less(request: LoadRequest, offload: str | None) -> list[str]:
    """What of a request takes less memory, where it is not asked for already."""
    offloads = {None: "engine.options.offload=model", "enable_model_cpu_offload": "engine.options.offload=sequential"}
    on_gpu = request.gpu.count > 0
    return [
        *([offloads[offload]] if on_gpu and offload in offloads else []),
        *(["sampling.vae_tiling=true"] if not request.sampling.vae_tiling else []),
        *(["fewer sampling.num_frames="] if request.sampling.num_frames else []),
        "a larger gpu=" if on_gpu else "a machine with more memory",
    ]


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _load_weights(request: LoadRequest, pipeline: type, offload: str | None) -> tuple[Any, str]:
    if request.tier.weights == "synthetic":
        assert request.architecture is not None  # whoever asks for it has read it
        place = request.gpu.device if offload is None else "cpu"
        return synthetic.build(request.architecture, request.model, pipeline, place), "synthetic"
    if request.tier.weights == "hub":
        revision = weights.resolve_revision(request.model)
        return weights.load_pipeline(request.model, pipeline, revision), revision
    folder = request.tiny_weights or snapshot.build_snapshot(request.model.family, request.cache_dir)
    loader: type[diffusers.DiffusionPipeline] = pipeline
    with quiet_libraries():
        return loader.from_pretrained(folder, local_files_only=True), f"tiny:{folder.name}"


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
