# SPDX-License-Identifier: Apache-2.0
"""The state of a port: what a person writes of it into ``ports/<family>.yaml``, and what runs have shown.

The names of the keys are those of the context packet that porting tools hand to each other.
"""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Any

import pydantic
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import Name, one_of

SCAFFOLD_SKIP, DEBUG_RED, NON_SKIP_PASS, BLOCKED = "scaffold_skip", "debug_red", "non_skip_pass", "blocked"
STATUSES = (SCAFFOLD_SKIP, DEBUG_RED, NON_SKIP_PASS, BLOCKED)

SMOKE, PARITY, EXAMPLE = "smoke", "parity", "example"
AFTER_COMPONENTS = (SMOKE, PARITY, EXAMPLE)
"""What follows when every component passes, each a gate for the next."""

ACCEPT_BLOCKER = "accept_parity_blocker"
HATCHES = {
    "drop_public_mode": "drop a public mode, modality or output head",
    "new_workload": "add a word for a workload",
    "change_official_default": "change an official default that users see",
    ACCEPT_BLOCKER: "accept a known blocker of parity",
    "gpu_heavy_quality": "do quality work on GPUs beyond what was agreed",
    "publish_generated": "publish generated references or converted weights",
}
"""What a person is asked first, and what each means."""

UNFILLED = "???"
"""Stands where a person has to fill something in."""
UNKNOWN = "unknown"
"""Begins what nobody found out, and is followed by where they looked."""

_FORBID = pydantic.ConfigDict(extra="forbid")

Status = Annotated[str, one_of(*STATUSES)]
_Q = Annotated[str, pydantic.Field(pattern=r"^Q\d{3,}$")]
_I = Annotated[str, pydantic.Field(pattern=r"^I\d{3,}$")]
_E = Annotated[str, pydantic.Field(pattern=r"^E\d{3,}$")]
_Commit = Annotated[str, pydantic.Field(pattern=r"^[0-9a-f]{40,64}$")]


@dataclass(config=_FORBID)
class Modalities:
    """What the model takes and gives: ``text``, ``image``, ``video``, ``audio``."""

    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)


@dataclass(config=_FORBID)
class OfficialFile:
    """A file of the official code that the port follows."""

    path: str = UNFILLED
    symbols: list[str] = field(default_factory=list)
    notes: str = ""


@dataclass(config=_FORBID)
class Argument:
    """A default of the official call, with the place that says so: a default is never from memory."""

    value: Any = UNFILLED
    source: str = UNFILLED


@dataclass(config=_FORBID)
class OfficialCall:
    """How the official side is called."""

    command_or_api: str = UNFILLED
    args_and_defaults: dict[str, Argument] = field(default_factory=dict)
    preset_source: str = UNFILLED
    scheduler_and_rng: str = UNFILLED
    output_contract: str = UNFILLED


@dataclass(config=_FORBID)
class ModelIndex:
    """What ``model_index.json`` says: the class, and the modules that a pipeline must load."""

    class_name: str = UNFILLED
    entry_class_names: list[str] = field(default_factory=list)
    required_modules: list[str] = field(default_factory=list)
    passthrough_modules: list[str] = field(default_factory=list)


@dataclass(config=_FORBID)
class SamplingParam:
    """Sampling arguments that the family brings."""

    new_fields: list[str] = field(default_factory=list)
    cli_fields: list[str] = field(default_factory=list)
    placeholder_fields: list[str] = field(default_factory=list)


@dataclass(config=_FORBID)
class Component:
    """A component; ``parity_status`` is what a person says, which no run has to agree with."""

    name: Name
    component_type: Annotated[
        str, one_of("dit", "vae", "encoder", "scheduler", "conditioner", "upsampler", "vocoder", "generic")
    ]
    parity_test: str = ""
    parity_status: Status = SCAFFOLD_SKIP
    target_files: list[str] = field(default_factory=list)
    converted_component_dir: str = ""


@dataclass(config=_FORBID)
class Conversion:
    """Where the converted weights are."""

    converted_weights_dir: str = UNFILLED
    source_layout: str = UNFILLED
    model_index_path: str = UNFILLED


@dataclass(config=_FORBID)
class Example:
    """The command that a user of the port begins with."""

    path: str = ""
    command: str = UNFILLED


@dataclass(config=_FORBID)
class Decision:
    """A question that was settled."""

    question: str = UNFILLED
    decision: str = UNFILLED
    by: str = UNFILLED
    date: str = ""


@dataclass(config=_FORBID)
class Issue:
    """What is wrong; ``blocks`` names components, ``smoke``, ``parity`` or ``example``."""

    what: str = UNFILLED
    blocks: list[str] = field(default_factory=list)
    closed: bool = False


@dataclass(config=_FORBID)
class EscapeHatch:
    """Something that a person is asked first. Nothing goes on before it has a reason and the name of who agreed."""

    kind: Annotated[str, one_of(*HATCHES)]
    reason: str = UNFILLED
    by: str = UNFILLED
    issue: _I | None = None


@dataclass(config=_FORBID)
class Proof:
    """What a run showed.

    Attributes:
        status: One of :data:`STATUSES`; ``scaffold_skip`` for a run that shows nothing either way.
        said: The run's own sentence.
        command: What was typed.
        numbers: What was measured.
        run: The run folder.
        date: When it was recorded: UTC, ISO 8601.
        commit: Of the repository around the working folder, when the run began; None outside of one.
        clean: Whether the files that git knows were those of the commit, but for the state files of ports.
        engine: What ran.
        engine_commit: Of the checkout that ``engine.path`` names; None where there is none.
        weights: ``hub``, ``tiny`` or ``synthetic``.
        against: What a candidate was compared with.
    """

    status: Status
    said: str
    command: str
    numbers: dict[str, Any]
    run: str
    date: str
    commit: _Commit | None
    clean: bool
    engine: str
    engine_commit: _Commit | None
    weights: str
    against: str = ""


@dataclass(config=_FORBID)
class Evidence:
    """What runs have shown, the latest of each."""

    components: dict[str, Proof] = field(default_factory=dict)
    smoke: Proof | None = None
    parity: Proof | None = None
    example: Proof | None = None

    def of(self, gate: str) -> Proof | None:
        """Of a component, or of one of :data:`AFTER_COMPONENTS`."""
        found: Proof | None = getattr(self, gate) if gate in AFTER_COMPONENTS else self.components.get(gate)
        return found


@dataclass(config=_FORBID)
class Port:
    """A port: everything but ``evidence`` is a person's."""

    model_family: Name
    mode: Annotated[str, one_of("pipeline-definition", "pipeline-parity-debug")] = "pipeline-definition"
    workload_types: list[str] = field(default_factory=list)
    modalities: Modalities = field(default_factory=Modalities)
    official_ref_dir: str = UNFILLED
    official_pipeline_files: list[OfficialFile] = field(default_factory=list)
    official_call: OfficialCall = field(default_factory=OfficialCall)
    model_index: ModelIndex = field(default_factory=ModelIndex)
    sampling_param: SamplingParam = field(default_factory=SamplingParam)
    components: list[Component] = field(default_factory=list)
    conversion: Conversion = field(default_factory=Conversion)
    fastvideo_targets: dict[str, Any] = field(default_factory=dict)
    presets: list[str] = field(default_factory=list)
    stage_chain: list[str] = field(default_factory=list)
    example: Example = field(default_factory=Example)
    local_tests_readme: str = ""
    port_state_file: str = ""
    concerns_or_unknowns: list[str] = field(default_factory=list)
    decisions: dict[_Q, Decision] = field(default_factory=dict)
    issues: dict[_I, Issue] = field(default_factory=dict)
    escape_hatches: dict[_E, EscapeHatch] = field(default_factory=dict)
    next_step: str = ""
    evidence: Evidence = field(default_factory=Evidence)

    def gates(self) -> list[str]:
        """Components that must pass, then what follows them."""
        named = [part.name for part in self.components]
        unlisted = [name for name in self.model_index.required_modules if name not in {*named, *_passed_through(self)}]
        return [*named, *unlisted, *AFTER_COMPONENTS]

    def blockers(self, gate: str) -> dict[str, Issue]:
        """Open issues that keep a gate from passing."""
        return {key: issue for key, issue in self.issues.items() if gate in issue.blocks and not issue.closed}

    def accepted(self, issue: str) -> str:
        """The escape hatch by which a blocker is accepted; empty where none is."""
        found = [
            key
            for key, hatch in self.escape_hatches.items()
            if hatch.kind == ACCEPT_BLOCKER and hatch.issue == issue and is_agreed(hatch)
        ]
        return found[0] if found else ""

    def unagreed(self) -> list[str]:
        """Escape hatches without a reason or a name, a sentence each."""
        return [
            f"{key} ({HATCHES[hatch.kind]}) needs a reason and the name of who agreed (reason, by)"
            for key, hatch in self.escape_hatches.items()
            if not is_agreed(hatch)
        ]


def is_agreed(hatch: EscapeHatch) -> bool:
    """Whether somebody agreed, and said why."""
    return all(is_filled(text) and any(map(str.isalpha, text)) for text in (hatch.reason, hatch.by))


def is_filled(value: Any) -> bool:
    """Whether something was filled in: not the mark of a scaffold, nothing, nor ``unknown`` without a search."""
    return value is not None and str(value).strip() not in (UNFILLED, "", UNKNOWN)


def _passed_through(port: Port) -> list[str]:
    return port.model_index.passthrough_modules
