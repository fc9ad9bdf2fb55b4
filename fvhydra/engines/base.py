# SPDX-License-Identifier: Apache-2.0
"""The contract of an engine. ``fvhydra.testing.engines`` holds every engine to it.

An engine may run in another Python environment (``engine.python=``) that has nothing but its own libraries. So this
module, and each module of an engine, imports the standard library and what of this package does the same; types of the
configuration are named in annotations only. ``make lint`` holds the engines of this package to it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fvhydra.core.checks import NOT_RUN, Check
from fvhydra.core.environment import environment, gpu_devices, gpu_state
from fvhydra.core.errors import UsageError
from fvhydra.core.progress import Progress
from fvhydra.engines.components import ComponentRun, RecordedComponent, Recording

if TYPE_CHECKING:  # composing a configuration imports this module, and must not cost numpy's start
    import numpy as np
    from numpy.typing import NDArray

    from fvhydra.config.backend import BackendConfig
    from fvhydra.config.engine import EngineConfig
    from fvhydra.config.gpu import GpuConfig
    from fvhydra.config.model import ModelConfig
    from fvhydra.config.sampling import Sampling
    from fvhydra.config.tier import TierConfig
    from fvhydra.core.architecture import Architecture
    from fvhydra.core.case import Case


COMPONENTS = ("text_encoder_time_s", "dit_time_s", "vae_decode_time_s")
"""Components of a model whose times an engine tells in ``GeneratedMedia.seconds``, as performance records name them."""

PROCESS_TREE = "process tree"
"""In ``GeneratedMedia.memory_mb``: resident memory of the engine's process and of those that it started."""


@dataclass(frozen=True)
class Capabilities:
    """What an engine can do, declared, so that what it cannot do is refused before anything runs.

    Attributes:
        artifacts: Values of ``model.artifact`` that it can give.
        modalities: Values of ``model.modality`` that it can give.
        weights: Values of ``tier.weights`` that it can run.
        cpu: Whether it runs without a GPU.
        tiny_weights: Whether it loads the tiny weights that fvhydra builds.
        traces: Whether it has :meth:`Engine.trace`.
        components: Whether it has :meth:`Engine.record_components` and :meth:`Engine.run_component`.
        undivided: Variables of its process with which it splits no sample across devices.
        procedural: Whether its output is made up by rules, with no weights of any model behind it.
        devices: Most GPUs that it uses for one case; None: as many as ``gpu=`` asks for.
        backends: Key of a backend's configuration that has its name in this engine, null where there is none; empty:
            the engine itself looks.
        packages: Top-level modules of its libraries, which its interpreter must have.
        install: The command that installs them, for who lacks one.
    """

    artifacts: tuple[str, ...] = ("pixel", "latent")
    modalities: tuple[str, ...] = ("video", "audio")
    weights: tuple[str, ...] = ("tiny", "hub")
    cpu: bool = True
    tiny_weights: bool = False
    traces: bool = False
    components: bool = False
    undivided: Mapping[str, str] = field(default_factory=dict)
    procedural: bool = False
    devices: int | None = None
    backends: str = ""
    packages: tuple[str, ...] = ()
    install: str = ""


@dataclass(frozen=True)
class LoadRequest:
    """What an engine has to make ready. One load serves every case of a run."""

    model: ModelConfig
    sampling: Sampling
    backend: BackendConfig
    tier: TierConfig
    gpu: GpuConfig
    """With ``count`` of them that the engine can use, see :attr:`Capabilities.devices`."""
    cache_dir: Path
    threads: int = 1
    with_image: bool = False
    """Whether the cases bring a first frame (image-to-video)."""
    architecture: Architecture | None = None
    """What to build with random weights, for ``tier.weights=synthetic``."""
    tiny_weights: Path | None = None
    """Folder of the tiny weights, when they have been built already; None: the engine builds them."""
    compute_dtype: str | None = None
    """What every component is cast to, as in ``float64``, to tell rounding from the model; None: as the weights are.
    Noise is what it would be without. An engine that declares ``components`` honours it."""


@dataclass
class GeneratedMedia:
    """What one case produced. For ``artifact=latent`` models ``latent`` is set, for ``pixel`` models ``frames``.

    Attributes:
        frames: uint8 ``[T, H, W, 3]`` RGB, full range.
        latent: float32, pre-VAE and unpacked: ``[B, C, T, H, W]`` for video, ``[B, C, T]`` for audio.
        latent_dtype: dtype the engine computed the latent in, for example ``torch.bfloat16``.
        audio: float32 ``[channels, samples]`` in [-1, 1].
        audio_rate: Samples a second.
        fps: Frames a second of ``frames``.
        seconds: Wall time of the components: ``total_s``, ``text_encoder_time_s``, ``dit_time_s``,
            ``vae_decode_time_s``; a component that was not measured is absent.
        memory_mb: Peak memory while the case was generated, MB (2**20 bytes): for each device that was used what its
            allocator handed out, as ``cuda:0``. Empty where no device was used.
        arguments: The arguments that really went into the library, JSON types.
        dropped: Fields of the case that this engine has no way to honour, with their values. Never silently lost.
    """

    frames: NDArray[np.uint8] | None = None
    latent: NDArray[np.float32] | None = None
    latent_dtype: str | None = None
    audio: NDArray[np.float32] | None = None
    audio_rate: int | None = None
    fps: float | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    memory_mb: dict[str, float] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)
    dropped: dict[str, Any] = field(default_factory=dict)


SAMPLE = 4096
"""Most values of a tensor that a trace keeps."""


@dataclass(frozen=True)
class TraceRequest:
    r"""What of a generation is written down beside its stages.

    Attributes:
        modules: Regular expression on the names of modules inside components, as in
            ``transformer\.blocks\.\d+``: their outputs. Empty: none.
        steps: Denoising steps, from 0, that are written down; empty: all. What is outside of the loop always is.
        weights: Whether each parameter and buffer is a row too, before anything runs.
    """

    modules: str = ""
    steps: tuple[int, ...] = ()
    weights: bool = False


@dataclass
class TracedTensor:
    """A tensor that was computed on the way.

    Attributes:
        module: Where: ``noise``, ``text_encoder``, ``scheduler.step``, ``transformer.blocks.3``, ``vae.decode``.
        tensor: Which of what it takes (``in.hidden_states``) and gives (``out``, ``out[1]``, ``out.sample``).
        step: Denoising step, from 0; None outside of the loop.
        call: How often this tensor of this module had been seen in this step before.
        dtype: As in ``bfloat16``.
        abs_mean, sum, max: Of the absolute values, of the values, largest absolute value, all as float32; sums are
            float64. None for a tensor without values.
        sha256: Of its bytes, hex.
        sample: float32 ``[N]``: all values, or :data:`SAMPLE` at equal distances, the first and the last included. None
            where only the numbers above were kept, as in files.
    """

    module: str
    tensor: str
    step: int | None
    call: int
    shape: list[int]
    dtype: str
    abs_mean: float | None
    sum: float | None
    max: float | None
    sha256: str
    sample: NDArray[np.float32] | None = None


@dataclass
class Trace:
    """What one generation computed, in the order of execution.

    Attributes:
        media: What :meth:`Engine.generate` would have given.
        rows: The tensors.
        matched: How many modules :attr:`TraceRequest.modules` matched.
    """

    media: GeneratedMedia
    rows: list[TracedTensor]
    matched: int = 0


class Engine(ABC):
    """Runs a model. Instances are used for one load and any number of cases, by one thread.

    Same case, same machine, same versions: bit-identical output, in this and in any other process.

    Its module imports none of the engine's libraries; what needs them imports them where it is called. So what the
    engine can do is known wherever a command is typed.
    """

    capabilities: Capabilities = Capabilities()

    def __init__(self, config: EngineConfig) -> None:
        self.config = config

    @classmethod  # noqa: B027  nothing to import is a fine default
    def warm(cls, model: ModelConfig) -> None:
        """Import what :meth:`load` needs for ``model``, touch no device and start no thread.

        Called once in a process that then divides into several, one for each job.
        """

    @abstractmethod
    def load(self, request: LoadRequest, progress: Progress) -> None:
        """Make the model ready.

        Raises:
            UsageError: The device, the attention backend or a package that was asked for is not there; the message
                names what was found instead.
            InfrastructureError: The weights cannot be had (offline, gated, missing).
        """

    @abstractmethod
    def generate(self, case: Case, progress: Progress) -> GeneratedMedia:
        """Generate one case. An exception from ``progress`` cancels; the engine stays usable."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """What decided the output beside the recipe, JSON types: ``engine``, ``versions`` (package to version),
        ``device``, ``attention_backend`` (the resolved one, verified), ``weights_revision`` (the resolved one).
        """

    def environment(self, gpu: bool = False) -> dict[str, str]:
        """The facts of the process that runs the engine, flat: see :func:`fvhydra.core.environment.environment`.

        Args:
            gpu: Whether it runs on a GPU, whose facts belong to them then.
        """
        return environment() | (gpu_state() if gpu else {})

    def devices(self) -> list[dict[str, Any]]:
        """The GPUs that the process of the engine sees, see :func:`fvhydra.core.environment.gpu_devices`."""
        return gpu_devices()

    def trace(self, case: Case, request: TraceRequest, progress: Progress) -> Trace:
        """Generate one case and write down what was computed on the way. It computes what :meth:`generate` does.

        Raises:
            UsageError: The engine has no trace, and does not declare one.
        """
        raise UsageError(f"engine={self.config.name} cannot trace what it computes.", "Choose an engine that can.")

    def record_components(self, case: Case, folder: Path, progress: Progress) -> Recording:
        """Generate one case, and keep what each component is called with on the way in files of ``folder``.

        Raises:
            UsageError: The case cannot be; or the engine has no components, and declares none.
        """
        raise UsageError(f"engine={self.config.name} cannot run components alone.", "Choose an engine that can.")

    def run_component(
        self, case: Case, recorded: RecordedComponent, dtype: str | None, progress: Progress
    ) -> ComponentRun:
        """Run a component alone on what this engine or another has recorded for it.

        Args:
            case: What the component is made ready for: a scheduler's options belong to it.
            recorded: What it is run on.
            dtype: What it computes in, as in ``float64``, on a copy; None: what it is in.
            progress: Hears of nothing while the component runs.
        """
        return ComponentRun(why=f"engine={self.config.name} cannot run components alone")

    def inspect(self, case: Case) -> list[Check]:
        """Hold what was loaded to what its weights declare: class, modules, names and shapes, arguments.

        Args:
            case: What is going to be generated.
        """
        return [Check("what was loaded", NOT_RUN, f"engine={self.config.name} does not look at it")]

    def close(self) -> None:  # noqa: B027  nothing to release is a fine default
        """Release the model. The engine is not used afterwards."""
