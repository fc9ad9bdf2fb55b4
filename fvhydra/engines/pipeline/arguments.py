# SPDX-License-Identifier: Apache-2.0
"""From a case to the arguments of a pipeline's call. No torch: the pipeline's signature is all that is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import Parameter
from typing import TYPE_CHECKING, Any

from fvhydra.core.errors import UsageError, nearest

if TYPE_CHECKING:
    from fvhydra.core.case import Case

ALWAYS_OURS = (
    "generator",
    "output_type",
    "return_dict",
    "image",
    "callback_on_step_end",
    "callback_on_step_end_tensor_inputs",
)
"""Arguments of a pipeline's call that the engine fills."""

ARGUMENT_OF = {"audio_s": "audio_end_in_s", "fps": "frame_rate"}
"""Keys of ``sampling`` to arguments of a pipeline's call, where the names differ."""


@dataclass
class PipelineCall:
    """Arguments of one call, and the fields of the case that this pipeline has no way to honour."""

    arguments: dict[str, Any] = field(default_factory=dict)
    dropped: dict[str, Any] = field(default_factory=dict)


def build_call(case: Case, parameters: Mapping[str, Parameter], pipeline: str) -> PipelineCall:
    """Select by the signature what the pipeline can be told.

    The image, the generator and the output type are the engine's to add: they are objects, not data. ``fps`` is not
    dropped where a pipeline has no frame rate: the clip is written with it all the same. ``num_gpus`` and ``sp_size``
    above 1 are: diffusers pipelines run on one device, and compute there what several would.

    Args:
        case: The case.
        parameters: Signature of the pipeline's ``__call__``.
        pipeline: The pipeline's class name, for messages.

    Raises:
        UsageError: An argument in ``model.call`` that the pipeline does not have, or that the case sets itself; an
            image-to-video pipeline without an image.
    """
    call = PipelineCall()
    sampling = case.sampling
    for value, name, argument in (
        (case.prompt, "prompt", "prompt"),
        (case.negative_prompt, "negative_prompt", "negative_prompt"),
        (sampling.height, "height", "height"),
        (sampling.width, "width", "width"),
        (sampling.num_frames, "num_frames", "num_frames"),
        (sampling.num_inference_steps, "num_inference_steps", "num_inference_steps"),
        (sampling.guidance_scale, "guidance_scale", "guidance_scale"),
        (sampling.audio_s, "audio_s", "audio_end_in_s"),
    ):
        if value is not None:
            (call.arguments if argument in parameters else call.dropped)[
                argument if argument in parameters else name
            ] = value
    if "frame_rate" in parameters:
        call.arguments["frame_rate"] = float(sampling.fps)
    _check_image(case, parameters, pipeline, call)
    for key in ("num_gpus", "sp_size"):
        if getattr(sampling, key) > 1:
            call.dropped[key] = getattr(sampling, key)
    if sampling.stage_overrides:
        call.dropped["stage_overrides"] = dict(sampling.stage_overrides)
    _add_extras(case, parameters, pipeline, call)
    if case.negative_prompt and "negative_prompt" in call.arguments and not _has_guidance(call, parameters):
        call.dropped["negative_prompt"] = call.arguments.pop("negative_prompt")
    return call


def _check_image(case: Case, parameters: Mapping[str, Parameter], pipeline: str, call: PipelineCall) -> None:
    if case.image is not None and "image" not in parameters:
        call.dropped["image"] = case.image.as_posix()
    elif case.image is None and "image" in parameters and parameters["image"].default is Parameter.empty:
        raise UsageError(
            f"model={case.model.name} ({pipeline}) animates a first frame, but case {case.index} has none.",
            "Give one with image=path/to/frame.png, or in the prompt set.",
        )


def _add_extras(case: Case, parameters: Mapping[str, Parameter], pipeline: str, call: PipelineCall) -> None:
    groups = {"model.call": case.model.call}
    if case.tier.weights == "tiny":
        groups["model.smoke_call"] = case.model.smoke_call
    ours = set(call.arguments) | set(ALWAYS_OURS)
    for group, extras in groups.items():
        for name, value in extras.items():
            if name not in parameters:
                raise UsageError(f"{group}.{name}: {pipeline} has no such argument.{nearest(name, parameters)}")
            if name in ours:
                raise UsageError(f"{group}.{name} is decided by the case itself; set it under sampling.")
            call.arguments[name] = value


def _has_guidance(call: PipelineCall, parameters: Mapping[str, Parameter]) -> bool:
    """Whether the negative prompt takes part: only in classifier-free guidance with a scale above 1.

    Where a pipeline has ``true_cfg_scale``, its ``guidance_scale`` is an embedding and no guidance in this sense.
    """
    scales = [name for name in parameters if name == "true_cfg_scale"]
    scales = scales or [name for name in parameters if name.endswith("guidance_scale")]
    return any((call.arguments.get(name, parameters[name].default) or 0) > 1 for name in scales)
