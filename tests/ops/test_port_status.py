# SPDX-License-Identifier: Apache-2.0
"""``op=port_status`` in a real repository: evidence of the present commit, and of no other."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from fvhydra.core.parity import ParityCase, ParityComparison, ParityComponent, ParityTarget
from fvhydra.core.port import AFTER_COMPONENTS
from fvhydra.core.port_file import keep_evidence, read_port
from fvhydra.core.progress import Silent
from fvhydra.core.result import RunResult
from fvhydra.core.run import RunFolder
from fvhydra.core.verdict import Verdict
from fvhydra.ops.context import Context, Prepared
from fvhydra.ops.parity import Parity
from tests.conftest import Cli
from tests.core.test_port_file import proof
from tests.launch.jobs import composed
from tests.ops.folders import latest_of
from tests.ops.repository import git

MODEL = "model=wan21_t2v_1_3b"
FILLED = """\
model_family: wan21_t2v
workload_types: [t2v]
components:
  - {name: transformer, component_type: dit}
model_index: {class_name: WanPipeline, entry_class_names: [WanPipeline], required_modules: [transformer]}
official_call:
  args_and_defaults:
    steps: {value: 50, source: "generate.py | line <b>3</b>"}
example: {command: fvhydra op=generate}
"""


@pytest.fixture
def port(tmp_path: Path) -> Path:
    """The state file in a repository with one commit."""
    path = tmp_path / "ports" / "wan21_t2v.yaml"
    path.parent.mkdir()
    path.write_text(FILLED)
    (tmp_path / "pipeline.py").write_text("scale = 1\n")
    (tmp_path / ".gitignore").write_text("outputs\nstore\n")
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return path


def commit(folder: Path) -> str:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "a change")
    return git(folder, "rev-parse", "HEAD")


def test_only_passes_of_the_present_commit_are_handed_over(port: Path, command: Cli, tmp_path: Path) -> None:
    handoff = ("op=port_status", MODEL, "op.require=handoff")
    nothing = command(*handoff)
    assert nothing.code == 1 and "transformer: scaffold_skip: nothing was run" in nothing.out, nothing.text
    assert "Next step: return_to_phase_6" in nothing.out

    sha = git(tmp_path, "rev-parse", "HEAD")
    keep_evidence(port, {name: proof(commit=sha) for name in ("transformer", *AFTER_COMPONENTS)})
    ready = command(*handoff)
    assert ready.code == 0 and "phase_10_quality_regression" in ready.out, ready.text
    commit(tmp_path)  # of the evidence itself, which makes nothing stale
    assert command(*handoff).code == 0

    (tmp_path / "pipeline.py").write_text("scale = 2\n")
    edited = command(*handoff)
    assert edited.code == 1 and f"stale: since commit {sha[:12]} of this repository there are other pipeline.py" in (
        edited.out
    )
    now = commit(tmp_path)
    assert command(*handoff).code == 1
    keep_evidence(port, {"transformer": proof(commit=now), "smoke": proof(commit=now)})
    partly = command(*handoff)
    assert partly.code == 1 and "the first that does not is parity" in partly.out
    assert "To show parity: fvhydra op=parity 'op.official={...}'" in partly.out
    assert command("op=port_status", MODEL).code == 0  # only looked at


def test_evidence_that_cannot_be_placed_is_named(port: Path, command: Cli, tmp_path: Path) -> None:
    sha = git(tmp_path, "rev-parse", "HEAD")
    dirty = proof(commit=sha)
    dirty.clean = False
    keep_evidence(port, {"transformer": proof(commit="b" * 40), "smoke": dirty, "parity": proof(commit=None)})
    keep_evidence(port, {"example": proof(commit=sha, engine_commit="c" * 40)})
    out = command("op=port_status", MODEL).out
    assert "transformer: scaffold_skip: stale: commit bbbbbbbbbbbb is not in this repository" in out
    assert f"smoke: scaffold_skip: stale: files were other than in commit {sha[:12]}" in out
    assert "parity: scaffold_skip: stale: it was made outside of a repository" in out
    assert "its engine was a checkout, at commit cccccccccccc; add engine.path=" in out


def test_it_leaves_documents_and_a_page(port: Path, command: Cli, tmp_path: Path) -> None:
    assert command("op=port_status", MODEL).code == 0
    run = tmp_path / "outputs" / "latest"
    status = (run / "port" / "PORT_STATUS.md").read_text()
    assert "| `transformer` | scaffold_skip | `nothing was run` |" in status
    assert r"| `steps` | `50` | `generate.py \| line <b>3</b>` |" in status
    assert "`fvhydra op=generate`" in (run / "port" / "README.md").read_text()
    packet = yaml.safe_load((run / "port" / "handover.yaml").read_text())
    assert packet["next_step"] == "return_to_phase_6"
    assert packet["pipeline_class_resolution"]["status"] == "exact_match"
    assert packet["required_config_modules"]["status"] == "match"
    assert packet["smoke_test"]["status"] == "not_run" and packet["pipeline_parity"]["status"] == "scaffold_skip"
    page = (run / "report" / "index.html").read_text()
    assert "&lt;b&gt;3&lt;/b&gt;" in page and "../port/PORT_STATUS.md" in page
    assert latest_of(tmp_path)["port"]["next_step"] == "return_to_phase_6"


def test_a_run_writes_what_it_showed(port: Path, cli: Cli, tmp_path: Path) -> None:
    sha = git(tmp_path, "rev-parse", "HEAD")
    mock = cli("op=smoke", MODEL, "engine=mock")
    assert f"Recorded in {port.relative_to(tmp_path)}: smoke scaffold_skip." in mock.out, mock.text
    assert cli("op=generate", MODEL, "engine=mock").code == 0
    assert read_port(port).evidence.example is None  # nothing of a model ran
    done = cli("op=smoke", MODEL)
    assert "smoke non_skip_pass" in done.out, done.text
    shown = read_port(port).evidence.smoke
    assert shown is not None and (shown.status, shown.commit, shown.clean) == ("non_skip_pass", sha, True)
    assert shown.numbers["passed"] == shown.numbers["checks"] > 5 and (tmp_path / shown.run / "result.json").is_file()
    assert shown.command == f"fvhydra op=smoke {MODEL}" and (shown.engine, shown.weights) == ("diffusers", "tiny")
    assert port.read_text().startswith(FILLED)


@pytest.mark.slow
def test_parity_and_the_example_write_what_they_showed(port: Path, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "pipeline.py").write_text("scale = 2\n")
    passed = cli("op=parity", MODEL, "prompt_index=0", "op.official={engine.env: {SIDE: official}}")
    assert passed.code == 0 and "parity non_skip_pass" in passed.out, passed.text
    shown = read_port(port).evidence.parity
    assert shown is not None and shown.numbers["case 0 frames"]["relative"] == 0 and not shown.clean
    red = cli("op=parity", MODEL, "prompt_index=0", "op.official={sampling.guidance_scale: 4.0}")
    assert red.code == 1
    shown = read_port(port).evidence.parity
    assert shown is not None and shown.status == "debug_red"
    assert shown.numbers["first difference"].startswith("guidance: scheduler.step")
    example = cli("op=generate", MODEL, "prompt_index=0")
    assert "example non_skip_pass" in example.out, example.text


def test_a_sweep_writes_what_its_jobs_showed_and_none_that_was_kept(port: Path, command: Cli) -> None:
    words = ("-m", "op=smoke", MODEL, "engine=mock", "prompt_index=0,1", "sweep=mine")
    assert command(*words).out.count("smoke scaffold_skip") == 2
    assert "Recorded" not in command(*words).out


@pytest.mark.parametrize(("other", "status"), [("", "scaffold_skip"), ("dtype: float32", "non_skip_pass")])
def test_a_side_that_is_compared_with_itself_shows_nothing(other: str, status: str) -> None:
    config = composed("op=parity", MODEL, f"op.official={{{other}}}")
    found = ParityComparison("a", "b", 0.1, [ParityCase(0, "p", [ParityTarget("frames", [1], [1], relative=0.0)])])
    result = RunResult("parity", Verdict.PASS, "1 case", parity=found)
    context = Context(Prepared(config), RunFolder(Path("nowhere")), Silent())
    [shown] = Parity(config.op).shown_of_port(context, result)
    assert shown.status == status and shown.numbers["case 0 frames"]["relative"] == 0
    result.verdict = Verdict.INFRASTRUCTURE
    assert Parity(config.op).shown_of_port(context, result) == []


def test_components_are_gates_of_their_own_and_no_pass_of_the_pipeline() -> None:
    config = composed("op=parity", MODEL, "op.scope=components", "op.official={dtype: float32}")
    output = ParityTarget("call 0 out", [1], [1], relative=0.5)
    parts = [
        ParityComponent("vae.encode", "AutoencoderKLWan", "blocked", "no kernel", needed=False),
        ParityComponent("vae.decode", "AutoencoderKLWan", "pass", outputs=[output]),
        ParityComponent("transformer", "WanTransformer3DModel", "fail", "call 0 out differs", outputs=[output]),
        ParityComponent("text_encoder", "UMT5EncoderModel", "blocked", "no kernel"),
        ParityComponent("scheduler", "UniPCMultistepScheduler", "missing", "none here"),
    ]
    result = RunResult("parity", Verdict.REGRESSION, parity=ParityComparison("a", "b", 0.1, components=parts))
    context = Context(Prepared(config), RunFolder(Path("nowhere")), Silent())
    shown = {each.gate: each for each in Parity(config.op).shown_of_port(context, result)}
    assert {gate: each.status for gate, each in shown.items()} == {
        "vae": "non_skip_pass",
        "transformer": "debug_red",
        "text_encoder": "scaffold_skip",
        "scheduler": "debug_red",
    }
    assert shown["transformer"].said == "transformer is red (call 0 out differs)"
    assert shown["transformer"].numbers["transformer call 0 out"]["relative"] == 0.5


def test_nothing_goes_on_before_a_person_was_asked(port: Path, command: Cli) -> None:
    port.write_text(f"{FILLED}escape_hatches: {{E001: {{kind: drop_public_mode}}}}\n")
    for op in ("op=smoke", "op=parity op.official={}"):
        refused = command(*op.split(), MODEL, "engine=mock" if op == "op=smoke" else "seed=1")
        assert refused.code == 2, refused.text
        assert "E001 (drop a public mode, modality or output head) needs a reason and the name" in refused.text
    shown = command("op=port_status", MODEL, "op.require=handoff")
    assert shown.code == 1 and "Next step: ask_user" in shown.out and "E001" in shown.out


def test_what_is_no_state_is_refused(port: Path, command: Cli, tmp_path: Path) -> None:
    port.write_text("model_family: wan21_t2v\nworkload: t2v\n")
    broken = command("op=port_status", MODEL)
    assert broken.code == 2 and "there is no key workload. Did you mean 'workload_types'?" in broken.text
    absent = command("op=port_status", "model=ltx2")
    assert absent.code == 2 and "There is no state file of a port of ltx2" in absent.text
    elsewhere = command("op=port_status", MODEL, "runtime.ports_dir=nowhere")
    assert elsewhere.code == 2 and "nowhere/wan21_t2v.yaml" in elsewhere.text
    assert not (tmp_path / "outputs").exists()
