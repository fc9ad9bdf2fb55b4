# SPDX-License-Identifier: Apache-2.0
"""``engine=diffusers``: any pipeline of Hugging Face diffusers, with tiny or real weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fvhydra.core.checks import Check
from fvhydra.core.errors import UsageError
from fvhydra.core.progress import Progress
from fvhydra.engines.base import Capabilities, Engine, GeneratedMedia, LoadRequest, Trace, TraceRequest
from fvhydra.engines.components import ComponentRun, RecordedComponent, Recording

if TYPE_CHECKING:
    from pathlib import Path

    from fvhydra.config.engine import EngineConfig
    from fvhydra.config.model import ModelConfig
    from fvhydra.core.case import Case
    from fvhydra.engines.pipeline.loaded import LoadedPipeline

OFFLOADS = {"none": None, "model": "enable_model_cpu_offload", "sequential": "enable_sequential_cpu_offload"}


class DiffusersEngine(Engine):
    """Calls a diffusers pipeline, uniformly over text-to-video, image-to-video, text-to-audio and joint audio-video.

    One process, one device. ``sampling.num_gpus`` and ``sampling.sp_size`` above 1 describe how an engine *splits* the
    same computation, so a case that asks for them still runs here, and they are listed in ``dropped``.

    Option ``engine.options.offload``: ``none`` (default) keeps every component on the device, ``model`` and
    ``sequential`` move components or layers there as they are needed (diffusers' CPU offload), slower and smaller.
    """

    capabilities = Capabilities(
        weights=("tiny", "synthetic", "hub"),
        tiny_weights=True,
        traces=True,
        components=True,
        devices=1,
        backends="diffusers",
        packages=("torch", "diffusers", "transformers", "accelerate"),
        install="pip install diffusers transformers accelerate torch",
    )
    options = ("offload",)

    def __init__(self, config: EngineConfig) -> None:
        super().__init__(config)
        offload = str(config.options.get("offload", "none"))
        if offload not in OFFLOADS:
            raise UsageError(f"engine.options.offload={offload} must be one of: {', '.join(OFFLOADS)}.")
        self._offload = OFFLOADS[offload]
        self._loaded: LoadedPipeline | None = None

    @classmethod
    def warm(cls, model: ModelConfig) -> None:
        import fvhydra.engines.pipeline.loaded  # noqa: F401
        from fvhydra.engines.quiet import quiet_libraries

        with quiet_libraries():
            import diffusers

            getattr(diffusers, model.pipeline, None)  # diffusers imports a pipeline when it is asked for

    def load(self, request: LoadRequest, progress: Progress) -> None:
        try:
            from fvhydra.engines.pipeline.loaded import LoadedPipeline

            self._loaded = LoadedPipeline(request, self._offload, progress)
        except ImportError as error:  # a library is too old or too new for another
            reason = " ".join(str(error).split()).rstrip(".")
            raise UsageError(
                f"engine={self.config.name} cannot import what it needs ({reason}).", self.capabilities.install
            ) from error

    def generate(self, case: Case, progress: Progress) -> GeneratedMedia:
        assert self._loaded is not None  # load comes first
        return self._loaded.generate(case, progress)

    def trace(self, case: Case, request: TraceRequest, progress: Progress) -> Trace:
        assert self._loaded is not None
        return self._loaded.trace(case, request, progress)

    def record_components(self, case: Case, folder: Path, progress: Progress) -> Recording:
        assert self._loaded is not None
        return self._loaded.record_components(case, folder, progress)

    def run_component(
        self, case: Case, recorded: RecordedComponent, dtype: str | None, progress: Progress
    ) -> ComponentRun:
        assert self._loaded is not None
        return self._loaded.run_component(case, recorded, dtype)

    def inspect(self, case: Case) -> list[Check]:
        assert self._loaded is not None
        return self._loaded.inspect(case)

    def facts(self) -> dict[str, Any]:
        return {"engine": self.config.name, **(self._loaded.facts if self._loaded else {})}

    def close(self) -> None:
        if self._loaded is not None:
            self._loaded.close()
            self._loaded = None
