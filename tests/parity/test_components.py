# SPDX-License-Identifier: Apache-2.0
"""Components alone on the same inputs: a fault is red where it is, and nowhere else; what cannot run never passes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from fvhydra.core.parity import BLOCKED, FAIL, MISSING, PASS, ParityComponent
from fvhydra.core.progress import Silent
from fvhydra.core.verdict import Verdict
from fvhydra.engines.components import Recording
from fvhydra.engines.diffusers import DiffusersEngine
from fvhydra.ops.cases import decoded
from fvhydra.parity.components import compare_component, not_holding, verdict_of
from fvhydra.testing import cases
from tests.parity.faults import AUDIO, LTX, WAN

TOLERANCE = 1e-4
Plant = Callable[[Any], None]


def loaded(family: str, cache_dir: Path) -> DiffusersEngine:
    engine = DiffusersEngine(cases.engine_config("diffusers"))
    engine.load(cases.request(family, cache_dir), Silent())
    return engine


class _Recordings(dict[str, tuple[DiffusersEngine, Recording]]):
    """Of each family, made when it is first asked for."""

    def __init__(self, cache_dir: Path, folder: Path) -> None:
        super().__init__()
        self._cache_dir, self._folder = cache_dir, folder

    def __missing__(self, family: str) -> tuple[DiffusersEngine, Recording]:
        engine = loaded(family, self._cache_dir)
        recording = engine.record_components(decoded(cases.case(family)), self._folder / family, Silent())
        self[family] = engine, recording
        return self[family]


@pytest.fixture(scope="module")
def official(cache_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> _Recordings:
    return _Recordings(cache_dir, tmp_path_factory.mktemp("recorded"))


def compared(
    family: str,
    official: _Recordings,
    cache_dir: Path,
    plant: Plant = lambda pipe: None,
    configure: Callable[[Any], None] = lambda scheduler: None,
    **sampling: Any,
) -> list[ParityComponent]:
    engine, recording = official[family]
    other = loaded(family, cache_dir)
    case = decoded(cases.case(family, sampling=cases.sampling(family, **sampling)))
    assert other._loaded is not None
    plant(other._loaded.pipe)
    configure(other._loaded._scheduler)
    return [
        compare_component(
            each,
            engine.run_component(case, each, None, Silent()),
            other.run_component(case, each, None, Silent()),
            TOLERANCE,
        )
        for each in recording.components
    ]


def scaled(component: str, weight: str) -> Plant:
    """One weight, a hundredth larger."""

    def plant(pipe: Any) -> None:
        with torch.no_grad():
            pipe.components[component].get_parameter(weight).mul_(1.01)

    return plant


def raises(*_: Any) -> None:
    raise RuntimeError("no kernel for this\nand more of it")


SLOW = pytest.mark.slow
QUICK = ("transformer", "vae.decode")
"""Of Wan, tried by the fast tests too."""
FAULTS = [
    (WAN, "transformer", scaled("transformer", "blocks.1.attn1.to_v.weight")),
    (WAN, "vae.decode", scaled("vae", "decoder.conv_in.weight")),
    (WAN, "vae.encode", scaled("vae", "encoder.conv_in.weight")),
    (WAN, "text_encoder", scaled("text_encoder", "encoder.block.0.layer.0.SelfAttention.v.weight")),
    (LTX, "transformer", scaled("transformer", "transformer_blocks.1.attn1.to_v.weight")),
    (LTX, "audio_vae.decode", scaled("audio_vae", "decoder.conv_in.conv.weight")),
    (LTX, "vocoder", scaled("vocoder", "conv_in.weight")),
    (AUDIO, "vae.decode", scaled("vae", "decoder.conv1.bias")),
    (
        AUDIO,
        "projection_model",
        scaled("projection_model", "start_number_conditioner.time_positional_embedding.1.weight"),
    ),
]


@pytest.mark.parametrize(
    ("family", "component", "plant"),
    [
        pytest.param(*each, id=f"{each[0]}: {each[1]}", marks=() if each[1] in QUICK and each[0] == WAN else SLOW)
        for each in FAULTS
    ],
)
def test_a_fault_is_red_where_it_is(
    family: str, component: str, plant: Plant, official: _Recordings, cache_dir: Path
) -> None:
    found = compared(family, official, cache_dir, plant)
    assert {each.name: each.outcome for each in found if each.outcome != PASS} == {component: FAIL}
    assert verdict_of(found) is Verdict.REGRESSION
    assert not_holding(found).startswith(f"{component} is red (call ")


@pytest.mark.parametrize(
    ("family", "seeded"),
    [
        (WAN, ["vae.encode"]),
        pytest.param(LTX, ["vae.encode", "audio_vae.encode"], marks=SLOW),
        pytest.param(AUDIO, ["vae.encode"], marks=SLOW),
    ],
)
def test_equal_components_pass_to_the_bit(
    family: str, seeded: list[str], official: _Recordings, cache_dir: Path
) -> None:
    found = compared(family, official, cache_dir)
    assert [each.why for each in found if each.outcome != PASS] == [] and verdict_of(found) is Verdict.PASS
    assert {target.max_abs for each in found for target in each.outputs} == {0.0}
    assert [each.name for each in found if each.inputs == "seeded"] == seeded
    assert [each.name for each in found if not each.needed] == seeded
    pipe = official[family][0]._loaded
    assert pipe is not None
    networks = {name for name, part in pipe.pipe.components.items() if isinstance(part, torch.nn.Module)}
    assert {each.name.partition(".")[0] for each in found} == networks | {"scheduler"}


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        (WAN, {"flow_shift": 5.0}),
        pytest.param(LTX, {"shift_terminal": 0.3}, marks=SLOW),
        pytest.param(AUDIO, {"sigma_min": 0.6}, marks=SLOW),
    ],
)
def test_a_scheduler_with_another_shift_is_red(
    family: str, changes: dict[str, Any], official: _Recordings, cache_dir: Path
) -> None:
    found = compared(
        family,
        official,
        cache_dir,
        configure=lambda scheduler: scheduler.register_to_config(**changes),
        flow_shift=None,
    )
    [scheduler] = [each for each in found if each.outcome != PASS]
    assert (scheduler.name, scheduler.outcome) == ("scheduler", FAIL)
    assert scheduler.why.startswith("schedule.timesteps differs by ")


@SLOW
def test_what_is_not_there_is_missing(official: _Recordings, cache_dir: Path) -> None:
    found = compared(LTX, official, cache_dir, lambda pipe: setattr(pipe, "vocoder", None))
    [vocoder] = [each for each in found if each.outcome != PASS]
    assert (vocoder.name, vocoder.outcome) == ("vocoder", MISSING)
    assert verdict_of(found) is Verdict.REGRESSION
    assert not_holding(found) == "vocoder is missing (LTX2Pipeline has no vocoder here)"


def test_what_cannot_be_run_is_blocked_and_no_pass(official: _Recordings, cache_dir: Path) -> None:
    found = compared(WAN, official, cache_dir, lambda pipe: pipe.transformer.register_forward_pre_hook(raises))
    assert {each.name: each.outcome for each in found if each.outcome != PASS} == {"transformer": BLOCKED}
    assert verdict_of(found) is Verdict.INCONCLUSIVE
    assert not_holding(found) == "transformer is blocked (at the candidate: RuntimeError: no kernel for this)"
    assert verdict_of([]) is Verdict.INCONCLUSIVE


def test_a_generation_that_fails_has_recorded_what_was_called_until_then(cache_dir: Path, tmp_path: Path) -> None:
    engine = loaded(WAN, cache_dir)
    assert engine._loaded is not None
    handle = engine._loaded.pipe.transformer.blocks[0].register_forward_pre_hook(raises)
    recording = engine.record_components(decoded(cases.case(WAN)), tmp_path, Silent())
    assert recording.failed == "the generation failed with RuntimeError: no kernel for this"
    parts = {each.name: each for each in recording.components}
    assert parts["text_encoder"].calls == 2 and parts["transformer"].calls == 1
    assert parts["scheduler"].file is None
    assert parts["scheduler"].why == f"the official generation did not call it: {recording.failed}"
    handle.remove()
    alone = engine.run_component(cases.case(WAN), parts["transformer"], None, Silent())
    assert [each.name for each in alone.outputs] == ["call 0 out[0]"]
    assert all(each.needed for each in recording.components)
