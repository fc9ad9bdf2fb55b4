# SPDX-License-Identifier: Apache-2.0
"""What comparing two engines on one case found out, as plain data: part of ``result.json``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fvhydra.core.verdict import Verdict


@dataclass
class ParityTarget:
    """An output of both sides.

    Attributes:
        name: ``latent``, ``frames`` or ``audio``; of a component, number of the call and place.
        official: Shape of the official side's; None where it gave none.
        candidate: Shape of the candidate's.
        max_abs: Largest absolute difference; frames in levels of 255, sound in parts of full scale.
        mean_abs: Mean of the absolute differences.
        median_abs: Their median.
        cosine: 1 - cos of both as vectors, 0 to 2.
        relative: ``max_abs`` as a share of the official side's largest absolute value.
        allowed: The most that ``relative`` may be; where the truth is known, the most that ``candidate_error`` may be.
        official_error: Largest absolute difference of the official side's from the truth, the same computed by the
            official side in a wider dtype, as a share of the largest absolute value there; None where it is not known.
        candidate_error: The same of the candidate's.
        no_truth: Why there are no such errors, where they were asked for.
        verdict: ``pass`` or ``regression``.
        message: Why there are no numbers; empty where there are.
    """

    name: str
    official: list[int] | None
    candidate: list[int] | None
    max_abs: float | None = None
    mean_abs: float | None = None
    median_abs: float | None = None
    cosine: float | None = None
    relative: float | None = None
    allowed: float | None = None
    official_error: float | None = None
    candidate_error: float | None = None
    no_truth: str = ""
    verdict: Verdict = Verdict.REGRESSION
    message: str = ""


@dataclass
class ParityDifference:
    """A traced tensor that differs by more than it may.

    Attributes:
        stage: The stage of the generation that it belongs to.
        place: Module, tensor, step and call, as people read it.
        module: Where.
        tensor: Which of what the module takes and gives.
        step: Denoising step, from 0; None outside of the loop.
        call: How often the module had been there before in this step.
        what: ``value``, ``shape``, ``missing`` (only the official side has it) or ``extra`` (only the candidate).
        official: Its shape at the official side; None where it has none.
        candidate: Its shape at the candidate.
        max_abs: Largest absolute difference; None for other shapes and values that are not finite.
        relative: The same as a share of the official side's largest absolute value.
    """

    stage: str
    place: str
    module: str
    tensor: str
    step: int | None
    call: int
    what: str
    official: list[int] | None
    candidate: list[int] | None
    max_abs: float | None = None
    relative: float | None = None


@dataclass
class ParityStage:
    """A stage of the generation at both sides.

    Attributes:
        name: The word for it.
        official: Tensors that the official side traced in it.
        candidate: Those that the candidate did.
        equal: How many have the same bytes.
        beyond: How many differ by more than they may.
        relative: The largest difference, as a share of that tensor's largest absolute value; None where none is known.
    """

    name: str
    official: int = 0
    candidate: int = 0
    equal: int = 0
    beyond: int = 0
    relative: float | None = None


@dataclass
class ParitySeries:
    """A tensor of the denoising loop from step to step.

    Attributes:
        module: Where.
        tensor: Which of what it takes and gives.
        relative: Its difference at each step, as a share of its largest absolute value: 0 for the same bytes, the
            largest of several calls, None where there is no number.
    """

    module: str
    tensor: str
    relative: list[float | None] = field(default_factory=list)


@dataclass
class ParityArgument:
    """An argument of the call, or another thing that decides the output, at both sides."""

    name: str
    official: Any
    candidate: Any


@dataclass
class ParityCase:
    """A case at both sides.

    Attributes:
        index: Of the case.
        prompt: Of the case.
        targets: The outputs, video and sound by themselves.
        first: The first traced tensor beyond tolerance; None where there is none.
        look_at: What a divergence that begins there comes from, as a rule.
        in_component: Whether it is a component's own arithmetic, to be mended there and not in the pipeline.
        last_equal: The traced tensor before it.
        compared: Tensors that both sides computed.
        equal: Of those, how many have the same bytes.
        beyond: How many differ by more than they may.
        further: The first of those, in the order of execution.
        set_aside: Components that both sides call a different number of times, and how often: they cannot be paired.
        stages: Each stage at both sides, in the order of execution.
        over_steps: Each tensor of the denoising loop, step by step; those of modules inside come last.
        frames: Mean absolute difference of each frame, in levels of 255; empty where there are no two clips of one
            size.
        outputs: What each side generated, by its name: a file of the run folder.
        maps: Of each output, ``.npy``, float32 ``[T, H, W]``: where it differs, averaged over the channels.
        arguments: Those that differ.
        same_arguments: Those that do not.
        verdict: ``pass`` when every target passes.
    """

    index: int
    prompt: str
    targets: list[ParityTarget] = field(default_factory=list)
    first: ParityDifference | None = None
    look_at: str = ""
    in_component: bool = False
    last_equal: str = ""
    compared: int = 0
    equal: int = 0
    beyond: int = 0
    further: list[ParityDifference] = field(default_factory=list)
    set_aside: dict[str, str] = field(default_factory=dict)
    stages: list[ParityStage] = field(default_factory=list)
    over_steps: list[ParitySeries] = field(default_factory=list)
    frames: list[float] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    maps: dict[str, str] = field(default_factory=dict)
    arguments: list[ParityArgument] = field(default_factory=list)
    same_arguments: list[ParityArgument] = field(default_factory=list)
    verdict: Verdict = Verdict.PASS


PASS, FAIL, BLOCKED, MISSING = "pass", "fail", "blocked", "missing"


@dataclass
class ParityComponent:
    """A component, run alone on the same inputs at both sides.

    Attributes:
        name: As in ``transformer``; of a VAE with its method, as in ``vae.encode``.
        kind: Name of its class at the official side.
        outcome: ``pass``, ``fail``, ``blocked`` (it could not be run) or ``missing`` (the candidate has none).
        why: What is wrong; empty where nothing is.
        needed: Whether the generation needs it. What it does not need counts where it fails, not where it is blocked.
        inputs: ``captured`` from the official generation, or ``seeded``: random values of the right shapes.
        file: The inputs, in the run folder.
        calls: On how many calls it was run.
        outputs: What it gave, tensor by tensor.
    """

    name: str
    kind: str
    outcome: str
    why: str = ""
    needed: bool = True
    inputs: str = ""
    file: str | None = None
    calls: int = 0
    outputs: list[ParityTarget] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether the pipeline may be compared, as far as this one goes."""
        return self.outcome == PASS or (not self.needed and self.outcome in (BLOCKED, MISSING))


@dataclass
class ParityComparison:
    """Two sides on all cases.

    Attributes:
        official: What the side that is right runs, in words.
        candidate: What the other runs.
        tolerance: The most that a tensor may differ, as a share of its largest absolute value.
        cases: One each.
        components: Each alone; empty where they were not compared.
        rests_on: The run that compared them, where it is another.
        made_with: Of each side, what decides its output: settings, versions, commits, weights.
        truth: dtype of the official side's run that errors are told against; empty where there is none.
        factor: How many times the official side's own error the candidate's may be.
        next_step: ``return_to_phase_6`` where components do not hold; empty otherwise.
    """

    official: str
    candidate: str
    tolerance: float
    cases: list[ParityCase] = field(default_factory=list)
    components: list[ParityComponent] = field(default_factory=list)
    rests_on: str = ""
    made_with: dict[str, dict[str, str]] = field(default_factory=dict)
    truth: str = ""
    factor: float | None = None
    next_step: str = ""
