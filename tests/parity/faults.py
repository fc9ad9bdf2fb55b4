# SPDX-License-Identifier: Apache-2.0
"""Faults of a port, planted into pipelines of diffusers: what it is, in which family, and where it must be found."""

from __future__ import annotations

import dataclasses
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from fvhydra.core.case import Case
from fvhydra.engines.diffusers import DiffusersEngine
from fvhydra.parity import stages
from fvhydra.parity.stages import Stage

WAN, LTX, AUDIO = "wan21_t2v_1_3b", "ltx2", "stable_audio_open"


@dataclass(frozen=True)
class Fault:
    """A fault.

    Attributes:
        name: What is wrong.
        family: In which family.
        stage: Where a trace must find it first.
        plant: Does it to a pipeline.
        change: Does it to what is asked for.
        place: Beginning of the row's place, where that is known.
    """

    name: str
    family: str
    stage: Stage
    plant: Callable[[Any], None] = lambda pipe: None
    change: Callable[[Case], Case] = lambda case: case
    place: str = ""

    def __str__(self) -> str:
        return f"{self.family}: {self.name}"


def planted(engine: DiffusersEngine, fault: Fault) -> DiffusersEngine:
    """The engine with the fault in it, for good."""
    assert engine._loaded is not None
    fault.plant(engine._loaded.pipe)
    return engine


def _edited(method: str, old: str, new: str) -> Callable[[Any], None]:
    """Another text in the source of a method."""

    def plant(pipe: Any) -> None:
        kind = type(pipe)
        source = textwrap.dedent(inspect.getsource(inspect.unwrap(getattr(kind, method))))
        assert source.count(old) >= 1, source
        names: dict[str, Any] = {}
        exec(source.replace(old, new), vars(inspect.getmodule(kind)), names)
        pipe.__class__ = type(kind.__name__, (kind,), {method: names[method], "__module__": kind.__module__})

    return plant


def _scaled(name: str, factor: float) -> Callable[[Any], None]:
    def plant(pipe: Any) -> None:
        with torch.no_grad():
            pipe.transformer.get_parameter(name).mul_(factor)

    return plant


def _swapped(first: str, second: str) -> Callable[[Any], None]:
    def plant(pipe: Any) -> None:
        with torch.no_grad():
            left, right = pipe.transformer.get_parameter(first), pipe.transformer.get_parameter(second)
            kept = left.clone()
            left.copy_(right)
            right.copy_(kept)

    return plant


def _half(blocks: str, index: int) -> Callable[[Any], None]:
    """One block's result rounded to float16."""

    def rounded(_: Any, __: Any, result: Any) -> Any:
        if isinstance(result, tuple):
            return (result[0].half().float(), *result[1:])
        return result.half().float()

    return lambda pipe: getattr(pipe.transformer, blocks)[index].register_forward_hook(rounded)


def _flag(part: str, **values: Any) -> Callable[[Any], None]:
    """Other values of a component's configuration."""
    return lambda pipe: getattr(pipe, part).register_to_config(**values)


def _sampling(**changes: Any) -> Callable[[Case], Case]:
    return lambda case: dataclasses.replace(case, sampling=dataclasses.replace(case.sampling, **changes))


def _case(**changes: Any) -> Callable[[Case], Case]:
    return lambda case: dataclasses.replace(case, **changes)


def _argument(**changes: Any) -> Callable[[Case], Case]:
    """Another argument of the call."""

    def change(case: Case) -> Case:
        return dataclasses.replace(case, model=dataclasses.replace(case.model, call=case.model.call | changes))

    return change


FAULTS = [
    Fault("a weight scaled by 1.001", WAN, stages.WEIGHTS, _scaled("blocks.1.attn1.to_q.weight", 1.001)),
    Fault("q and k swapped", WAN, stages.WEIGHTS, _swapped("blocks.0.attn1.to_q.weight", "blocks.0.attn1.to_k.weight")),
    Fault("a weight scaled by 1.001", LTX, stages.WEIGHTS, _scaled("transformer_blocks.1.attn1.to_v.weight", 1.001)),
    Fault("a weight scaled by 1.001", AUDIO, stages.WEIGHTS, _scaled("transformer_blocks.0.attn1.to_q.weight", 1.001)),
    Fault("flow shift", WAN, stages.SCHEDULE, change=_sampling(flow_shift=5.0)),
    Fault("one step more", LTX, stages.SCHEDULE, change=_sampling(num_inference_steps=4)),
    Fault("smallest sigma", AUDIO, stages.SCHEDULE, _flag("scheduler", sigma_min=0.6)),
    Fault(
        "guidance on the wrong half",
        WAN,
        stages.GUIDANCE,
        _edited(
            "__call__",
            "noise_uncond + current_guidance_scale * (noise_pred - noise_uncond)",
            "noise_pred + current_guidance_scale * (noise_uncond - noise_pred)",
        ),
    ),
    Fault(
        "guidance on the wrong half",
        AUDIO,
        stages.GUIDANCE,
        _edited("__call__", "noise_pred_uncond, noise_pred_text = ", "noise_pred_text, noise_pred_uncond = "),
    ),
    Fault("scale of guidance", WAN, stages.GUIDANCE, change=_sampling(guidance_scale=4.0)),
    Fault("another generator", WAN, stages.NOISE, change=_case(seed=3)),
    Fault("another generator", AUDIO, stages.NOISE, change=_case(seed=3)),
    Fault(
        "noise drawn in another order",
        WAN,
        stages.NOISE,
        _edited(
            "prepare_latents",
            "latents = randn_tensor(",
            "torch.randn(1, generator=generator); latents = randn_tensor(",
        ),
    ),
    Fault(
        "noise drawn in another order",
        LTX,
        stages.NOISE,
        _edited(
            "prepare_latents",
            "latents = randn_tensor(",
            "torch.randn(1, generator=generator); latents = randn_tensor(",
        ),
    ),
    Fault("one latent frame fewer", WAN, stages.NOISE, change=_sampling(num_frames=1)),
    Fault("another negative prompt", WAN, stages.TOKENS, change=_case(negative_prompt="nothing")),
    Fault("a word of the prompt", LTX, stages.TOKENS, change=_case(prompt="a cat")),
    Fault("text cut at another length", WAN, stages.TOKENS, change=_argument(max_sequence_length=64)),
    Fault(
        "attention mask ignored",
        WAN,
        stages.TOKENS,
        _edited("_get_t5_prompt_embeds", "mask.to(model_device))", "torch.ones_like(mask))"),
    ),
    Fault(
        "attention mask ignored",
        AUDIO,
        stages.TOKENS,
        _edited("encode_prompt", "attention_mask=attention_mask,", "attention_mask=torch.ones_like(attention_mask),"),
    ),
    Fault("latent mean and deviation", WAN, stages.LATENT_OUT, _edited("__call__", "/ latents_std + l", "+ l")),
    Fault(
        "channel order",
        WAN,
        stages.OUTPUT,
        _edited("__call__", "video = self.video_processor", "video = video.flip(1); video = self.video_processor"),
    ),
    Fault("a cast to half", WAN, stages.DENOISER, _half("blocks", 1), place="transformer.blocks.1 out"),
    Fault(
        "a cast to half",
        LTX,
        stages.DENOISER,
        _half("transformer_blocks", 1),
        place="transformer.transformer_blocks.1 out",
    ),
    Fault(
        "a cast to half",
        AUDIO,
        stages.DENOISER,
        _half("transformer_blocks", 1),
        place="transformer.transformer_blocks.1 out",
    ),
    Fault(
        "latents scaled twice",
        AUDIO,
        stages.LATENT,
        _edited(
            "prepare_latents",
            "latents = latents * self.scheduler.init_noise_sigma",
            "latents = latents * self.scheduler.init_noise_sigma * 1.01",
        ),
    ),
]
