# SPDX-License-Identifier: Apache-2.0
"""Descriptions of metrics that are not implemented yet, so that they are listed as planned."""

from __future__ import annotations

from typing import Any

from pydantic.dataclasses import dataclass

from fvhydra.metrics.spec import Asset, Direction, Input, Spec


@dataclass
class NoParams:
    """A metric without parameters."""


_VIDEO, _REFERENCE = Input("video", "video"), Input("reference", "video")
_AUDIO = Input("audio", "audio")
_PROMPT, _NAMED = Input("text_prompt", "text"), Input("auxiliary_info", "data")

_WHISPER = Asset("whisper_base", "openai/whisper-base", None, "Apache-2.0 (unconfirmed)")
_DPFLOW = Asset(
    name="dpflow",
    repo="https://github.com/hmorimitsu/ptlflow/releases/download/weights1/dpflow-things-2012b5d6.ckpt",
    megabytes=40,
    licence="Apache-2.0",
    commercial=True,
)
_VBENCH_MODELS = "OpenGVLab/VBench_Used_Models"
_VICLIP = Asset("viclip", _VBENCH_MODELS, None, "MIT (gated)", files=("ViClip-InternVid-10M-FLT.pth",))
_GRIT = Asset("grit", _VBENCH_MODELS, None, "MIT (unconfirmed)", files=("grit_b_densecap_objectdet.pth",))
_UMT = Asset(
    name="umt",
    repo=_VBENCH_MODELS,
    megabytes=None,
    licence="MIT (unconfirmed)",
    files=("l16_ptk710_ftk710_ftk400_f16_res224.pth",),
)
_TAG2TEXT = Asset("tag2text", _VBENCH_MODELS, None, "Apache-2.0 (code; not stated for the weights)")
_AVOCADO = Asset("avocado", "AVoCaDO-Captioner/AVoCaDO", None, "Apache-2.0", commercial=True)

_SHARE: dict[str, Any] = {"low": 0.0, "high": 1.0}
_COSINE: dict[str, Any] = {"low": -1.0, "high": 1.0}
_VBENCH: dict[str, Any] = {"source": "VBench (Huang et al. 2024)", "comparable_to": ("vbench",)}


def _planned(
    metric: str, title: str, inputs: tuple[Input, ...], *assets: Asset, direction: Direction = "higher", **rest: Any
) -> Spec:
    described: dict[str, Any] = {"kind": "sample", "unit": "1", "source": "FastVideo", **rest}
    return Spec(
        metric, 0, title, direction=direction, inputs=inputs, params=NoParams, assets=assets, planned=True, **described
    )


_SPECS = (
    _planned(
        "audio.wer_whisper", "Errors of what Whisper hears, per word of what should be said",
        (_AUDIO, Input("reference_text", "text")), _WHISPER, direction="lower", low=0.0, source="Radford et al. 2023",
    ),
    _planned(
        "optical_flow.gt_dpflow", "Difference of the optical flow from the reference's, both by DPFlow",
        (_VIDEO, _REFERENCE), _DPFLOW, direction="lower", unit="px", low=0.0,
    ),
    _planned(
        "optical_flow.synthetic_dpflow", "Difference of the optical flow, by DPFlow, from what the actions foretell",
        (_VIDEO, Input("actions", "data"), Input("calibration", "data")), _DPFLOW,
        direction="lower", unit="px", low=0.0,
    ),
    _planned(
        "vbench.object_class", "Share of frames that show the named object (GRiT)", (_VIDEO, _NAMED), _GRIT,
        **_SHARE, **_VBENCH,
    ),
    _planned(
        "vbench.multiple_objects", "Share of frames that show both named objects (GRiT)", (_VIDEO, _NAMED), _GRIT,
        **_SHARE, **_VBENCH,
    ),
    _planned(
        "vbench.color", "Share of the frames with the object that show it in the named colour (GRiT)",
        (_VIDEO, _PROMPT, _NAMED), _GRIT, rule="mean of the videos that show the object", **_SHARE, **_VBENCH,
    ),
    _planned(
        "vbench.spatial_relationship", "Whether two objects stand beside or above each other as said (GRiT)",
        (_VIDEO, _NAMED), _GRIT, **_SHARE, **_VBENCH,
    ),
    _planned(
        "vbench.human_action", "Whether the named action is recognised (UMT ViT-L)", (_VIDEO, _PROMPT), _UMT,
        **_SHARE, **_VBENCH,
    ),
    _planned(
        "vbench.scene", "Share of frames whose caption has the words of the scene (Tag2Text)", (_VIDEO, _NAMED),
        _TAG2TEXT, **_SHARE, **_VBENCH,
    ),
    _planned(
        "vbench.scene_avocado", "Whether a caption of the clip has the words of the scene (AVoCaDO)", (_VIDEO, _NAMED),
        _AVOCADO, **_SHARE,
    ),
    _planned(
        "vbench.temporal_style", "Likeness of the clip and a prompt on how it moves (ViCLIP)", (_VIDEO, _PROMPT),
        _VICLIP, **_COSINE, **_VBENCH,
    ),
    _planned(
        "vbench.overall_consistency", "Likeness of the clip and its prompt (ViCLIP)", (_VIDEO, _PROMPT), _VICLIP,
        **_COSINE, **_VBENCH,
    ),
    _planned(
        "vlm.third_person_separation", "How often a remote model prefers how a character is set off",
        (_VIDEO, _REFERENCE), kind="set", **_SHARE,
    ),
)  # fmt: skip

PLANNED: dict[str, Spec] = {spec.id: spec for spec in _SPECS}
"""By id."""
