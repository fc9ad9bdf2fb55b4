# SPDX-License-Identifier: Apache-2.0
"""Full-size pipelines with seeded random weights, made on the device itself.

How long a step takes and what it holds does not depend on the values of the weights, so speed and memory can be
measured without the real ones. Scales are those of the tiny weights: activations neither die nor explode.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from accelerate import init_empty_weights
from diffusers import SchedulerMixin

from fvhydra.core.errors import UsageError
from fvhydra.engines.quiet import quiet_libraries
from fvhydra.engines.tiny import tokenizers
from fvhydra.engines.tiny.weights import owned_parameters, scaled, stream

if TYPE_CHECKING:
    from fvhydra.config.model import ModelConfig
    from fvhydra.core.architecture import Architecture, Component

LIBRARIES = ("diffusers", "transformers")
HALF = (torch.bfloat16, torch.float16)


def build(architecture: Architecture, model: ModelConfig, pipeline: type, place: str) -> Any:
    """The pipeline, its weights on ``place``, each component in the dtype that the model is run in.

    Args:
        architecture: Its components.
        model: Family (for the tokenizers) and dtypes.
        pipeline: Class of the pipeline.
        place: A torch device; on ``meta`` everything has its shape and dtype, and nothing a value.

    Raises:
        UsageError: A component is no class of the libraries, or does not take its configuration; the model's family has
            no tokenizers here.
    """
    if model.family not in PROCESSORS:
        raise UsageError(
            f"model.family={model.family} has no tokenizers for tier.weights=synthetic; there are some for "
            f"{', '.join(sorted(PROCESSORS))}."
        )
    with quiet_libraries():
        parts: dict[str, Any] = PROCESSORS[model.family]()
        for name, component in architecture.components.items():
            dtype = getattr(torch, model.component_dtypes.get(name, model.dtype))
            parts[name] = _component(name, component, dtype, place)
        _share_special_tokens(parts)
        return pipeline(**parts, **architecture.pipeline_config)


def _component(name: str, component: Component, dtype: torch.dtype, place: str) -> Any:
    kind = _class(component, component.class_name)
    try:
        if issubclass(kind, SchedulerMixin):
            return kind(**component.config)
        config = dict(component.config)
        for key, part in component.part_config_classes.items():
            config[key] = _class(component, part)(**config[key])
        with init_empty_weights(include_buffers=False):  # buffers are computed, and are small
            if component.config_class:
                module = kind(_class(component, component.config_class)(**config))
            else:
                module = kind(**config)
    except (TypeError, ValueError) as error:
        raise UsageError(f"The architecture's {name} is no {component.class_name}: {error}.") from error
    if hasattr(module, "tie_weights"):  # what was one parameter became several on its way to having no memory
        module.tie_weights()
    _fill(module, name, dtype, place)
    return module.eval()


def _class(component: Component, name: str) -> Any:
    """A class of the libraries, by name. The file that names it may be anybody's, so nothing else can be named."""
    module = component.module or component.library
    found = None
    if module.partition(".")[0] in LIBRARIES:
        found = getattr(importlib.import_module(module), name, None)
    if not isinstance(found, type) or not _builds(found):
        raise UsageError(f"The architecture names {name} of {module}, which is no model, scheduler or configuration.")
    return found


def _builds(kind: type) -> bool:
    from transformers import PreTrainedConfig

    return issubclass(kind, (torch.nn.Module, SchedulerMixin, PreTrainedConfig))


@torch.no_grad()
def _fill(module: torch.nn.Module, component: str, dtype: torch.dtype, place: str) -> None:
    """Give every parameter its memory on ``place``, and a value there."""
    exact = _kept_exact(module, dtype)
    made: dict[int, torch.nn.Parameter] = {}
    for owner, name, empty in list(owned_parameters(module)):
        kept = torch.float32 if exact(name) else dtype
        value = torch.empty(empty.shape, dtype=kept, device=place)
        if place != "meta":
            seed = int(stream(0, component, name).integers(2**62))
            value.normal_(generator=torch.Generator(place).manual_seed(seed))
            value = scaled(value, owner, name.rpartition(".")[2], value)
        made[id(empty)] = torch.nn.Parameter(value, requires_grad=False)
    for owner in module.modules():  # tied ones too
        for name, empty in owner.named_parameters(recurse=False):
            owner._parameters[name] = made[id(empty)]
    for owner in module.modules():
        for name, buffer in owner.named_buffers(recurse=False):
            stored = name not in owner._non_persistent_buffers_set and buffer.is_floating_point()
            owner._buffers[name] = buffer.to(place, dtype if stored else None)


def _kept_exact(module: torch.nn.Module, dtype: torch.dtype) -> Callable[[str], bool]:
    """Which parameters the libraries load in float32 although the others are in half precision."""
    if dtype not in HALF:
        return lambda name: False
    words = set(getattr(module, "_keep_in_fp32_modules_strict", None) or ())
    transformers = type(module).__module__.startswith("transformers.")
    if not transformers or dtype is torch.float16:  # transformers' other list is of what float16 cannot hold
        words |= set(getattr(module, "_keep_in_fp32_modules", None) or ())
    return lambda name: bool(words.intersection(name.split(".")))


def _share_special_tokens(parts: dict[str, Any]) -> None:
    """Tell a text encoder that looks for images in the prompt which of our tokenizer's tokens is one."""
    config, tokenizer = getattr(parts.get("text_encoder"), "config", None), parts.get("tokenizer")
    if tokenizer is not None and "<image>" in tokenizer.get_vocab() and hasattr(config, "image_token_index"):
        assert config is not None
        config.image_token_index = tokenizer.convert_tokens_to_ids("<image>")
        config.pad_token_id = tokenizer.pad_token_id


def _hunyuan() -> dict[str, Any]:
    from diffusers.pipelines.hunyuan_video.pipeline_hunyuan_video_image2video import DEFAULT_PROMPT_TEMPLATE

    from fvhydra.engines.tiny import encoders, hunyuan

    llama = tokenizers.llama3(DEFAULT_PROMPT_TEMPLATE["template"], DEFAULT_PROMPT_TEMPLATE["crop_start"])
    image_processor = encoders.clip_image_processor(hunyuan.IMAGE_SIZE)
    return {"tokenizer": llama, "tokenizer_2": tokenizers.clip(), "image_processor": image_processor}


PROCESSORS: dict[str, Callable[[], dict[str, Any]]] = {
    "ltx2": lambda: {"tokenizer": tokenizers.gemma(1024)},
    "wan21_t2v": lambda: {"tokenizer": tokenizers.t5(512)},
    "wan22_ti2v": lambda: {"tokenizer": tokenizers.t5(512)},
    "hunyuan_i2v": _hunyuan,
    "cogvideox15_i2v": lambda: {"tokenizer": tokenizers.t5(226)},
    "stable_audio": lambda: {"tokenizer": tokenizers.t5(128)},
}
"""Family to what stands in front of its networks. Prompts are padded to a length, so the vocabulary decides no time."""
