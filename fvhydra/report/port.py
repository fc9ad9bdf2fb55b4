# SPDX-License-Identifier: Apache-2.0
"""How far a port is: its page, and the documents that are handed over with it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from fvhydra.core import files
from fvhydra.core.port import BLOCKED, EXAMPLE, HATCHES, NON_SKIP_PASS, PARITY, SMOKE
from fvhydra.core.port_state import ASK, BACK, ON, GateState, PortState
from fvhydra.core.result import RunResult
from fvhydra.report import page
from fvhydra.report.markdown import code

_LONGEST = 2_000


def render_port(result: RunResult, manifest: dict[str, Any]) -> str:
    """The page of ``op=port_status``.

    Args:
        result: With its ``port``.
        manifest: Its ``manifest.json``; every key is optional.
    """
    return page.render("port.html", **page.masthead(result, manifest), state=result.port, hatches=HATCHES)


def documents(state: PortState) -> dict[str, str]:
    """``PORT_STATUS.md``, ``README.md`` and the packet ``handover.yaml``, by their names."""
    texts = {name: _markdown().get_template(f"port/{name}").render(state=state, port=state.port, hatches=HATCHES)
             for name in ("PORT_STATUS.md", "README.md")}  # fmt: skip
    return texts | {"handover.yaml": yaml.safe_dump(packet(state), sort_keys=False, allow_unicode=True, width=110)}


def packet(state: PortState) -> dict[str, Any]:
    """What is handed over, with the names that porting tools read. What nobody said is ``unknown``."""
    port, gates = state.port, {gate.name: gate for gate in state.gates}
    resolved = port.model_index.class_name in port.model_index.entry_class_names
    evidence = files.plain(port.evidence)
    emitted = [*(part.name for part in port.components), *port.model_index.passthrough_modules]
    return {
        "model_family": port.model_family,
        "mode": port.mode,
        "official_files_used": [each.path for each in port.official_pipeline_files],
        "components": [{"name": part.name, "parity_status": gates[part.name].status} for part in port.components],
        "required_config_modules": {
            "emitted": emitted,
            "model_index": port.model_index.required_modules,
            "status": "match" if {*emitted} == {*port.model_index.required_modules} else "mismatch",
        },
        "pipeline_class_resolution": {
            "model_index_class_name": port.model_index.class_name,
            "entry_class_names": port.model_index.entry_class_names,
            "status": "exact_match" if resolved else BLOCKED,
        },
        "sampling_param": {
            "fields_added": port.sampling_param.new_fields,
            "cli_fields_added": port.sampling_param.cli_fields,
            "unknown_kwargs_checked": "yes" if gates[SMOKE].passed else "no",
        },
        "stage_chain": port.stage_chain,
        "presets": {"names": port.presets},
        "smoke_test": {"status": _of_smoke(gates[SMOKE]), "output": evidence["smoke"]},
        "pipeline_parity": {
            "status": gates[PARITY].status,
            "output": evidence["parity"],
            "comparison_target": port.evidence.parity.against if port.evidence.parity else "unknown: nothing was run",
        },
        "example": {
            "path": port.example.path,
            "command": port.example.command,
            "status": _of_example(gates[EXAMPLE]),
            "output": evidence["example"],
        },
        "blockers": [f"{gate.name}: {gate.why}" for gate in state.gates if not gate.passed] + state.missing,
        "next_step": state.next_step if state.next_step in (ASK, BACK, ON) else ASK,
        "escape_hatch": files.plain(port.escape_hatches),
    }


def _of_smoke(gate: GateState) -> str:
    return gate.status if gate.status in (NON_SKIP_PASS, BLOCKED) else "not_run" if _untried(gate) else BLOCKED


def _of_example(gate: GateState) -> str:
    return "pass" if gate.passed else BLOCKED if gate.status == BLOCKED else "not_run"


def _untried(gate: GateState) -> bool:
    """Whether no run of the present commit came to an answer."""
    return gate.status == "scaffold_skip"


@cache
def _markdown() -> Environment:
    environment = Environment(
        loader=PackageLoader("fvhydra.report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["code"] = lambda value: code(_text(value), _LONGEST) or "–"
    return environment


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(files.plain(value), ensure_ascii=False)
