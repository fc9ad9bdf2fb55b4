# SPDX-License-Identifier: Apache-2.0
"""``launcher=modal`` through the command line, with the unmodified SDK and a Modal of our own."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fvhydra.core.scores import read_rows
from tests.evaluation.clips import write_clip
from tests.launch.modal.site import TROUBLE, Site, site
from tests.ops.story import digests, record, write_story
from tests.servers.hub import ALICE, ALICE_READS, HubServer

GENERATE = ("op=generate", "launcher=modal", *TROUBLE)
ODD = ['-1 cat\'s "hat", {x=$y} [1,2]', "猫が歩く ✨", "two\nlines ${model}"]


@pytest.fixture
def here(tmp_path: Path, cache_dir: Path) -> Iterator[Site]:
    with site(tmp_path, cache_dir, containers=4) as found:
        yield found


def _everything_sent(here: Site) -> bytes:
    """Every message that any client or container has sent, and every large argument."""
    messages = b"".join(request.message.SerializeToString() for request in here.modal.world.requests)
    return messages + b"".join(path.read_bytes() for path in here.modal.world.folder("blob").iterdir())


def _seen(log: str) -> dict[str, Any]:
    """What the engine of ``kind=tell`` saw where it ran."""
    [line] = [line for line in log.splitlines() if line.startswith("seen ")]
    seen: dict[str, Any] = json.loads(line.removeprefix("seen "))
    return seen


@pytest.mark.slow
def test_a_sweep_on_gpus_names_every_failure_with_its_log(here: Site) -> None:
    here.modal.secret("reads", HF_TOKEN="hf_reads_only")
    kinds = f"engine.options.kind=none,raise,exit,abort,tell engine.options.driver={Path(__file__)}"
    command = here.run(
        *("-m", *GENERATE, *kinds.split(), "gpu=l40s", "sampling.num_gpus=2", "sweep=mine"),
        *("launcher.secrets=[reads]", "launcher.max_containers=3", "launcher.image.tag=py3.12-latest"),
        *(f"launcher.python={sys.executable}", "launcher.image.packages=[hydra-core]"),
        HF_TOKEN="hf_writes",
        BUILDKITE_COMMIT="c0ffee",
    )
    assert command.code == 4 and "5 job(s)" in command.out, command.text
    verdicts = [here.result("generate", number)["verdict"] for number in range(5)]
    assert verdicts == ["done", "infrastructure", "infrastructure", "infrastructure", "done"]
    for sentence, log in (
        ("job 1: RuntimeError: the kernel is wrong", "1/status/error.log"),
        ("job 2: The job exited by itself (code 7).", "2/status/error.log"),
        ("job 3: The worker was killed by SIGABRT: Fatal Python error: Aborted", "3/status/stdout.log"),
    ):
        assert f"{sentence}\n    log: {(here.sweep('generate') / log).relative_to(here.folder)}" in command.out
    for number in (0, 4):
        folder = here.sweep("generate") / str(number)
        [artifact] = json.loads((folder / "manifest.json").read_text())["artifacts"]
        assert (folder / artifact["path"]).stat().st_size == artifact["bytes"]
        assert (folder / "report" / "index.html").is_file()

    [there] = here.modal.volume("fvhydra-outputs").glob("ssim_generated_videos/smoke/*_unknown/mine/0")
    assert time.strptime(there.parent.parent.name, "%Y%m%d_%H%M%S_unknown")
    made = {path.relative_to(there): path.read_bytes() for path in there.rglob("*") if path.is_file()}
    assert Path("result.json") in made and Path("job.json") not in made
    assert {path: (here.sweep("generate") / "0" / path).read_bytes() for path in made} == made

    [function] = here.modal.functions
    assert function.gpu == "L40S:2" and function.definition.autoscaler_settings.max_containers == 3
    assert function.definition.single_use_containers and function.definition.retry_policy.retries == 1
    assert len({request.task for request in here.modal.requests("FunctionGetInputs")}) >= 5

    layers = [line for image in here.modal.world.images.values() for line in image.dockerfile_commands]
    assert "FROM ghcr.io/hao-ai-lab/fastvideo/fastvideo-dev:py3.12-latest" in layers
    assert f"RUN python -m pip --python {sys.executable} install hydra-core" in layers

    seen = _seen(here.logs("generate")[4])
    assert (
        seen["environment"]["HF_TOKEN"] == "hf_reads_only" and seen["environment"]["IMAGE_VERSION"] == "py3.12-latest"
    )
    assert seen["more"] and not seen["driver"]
    assert seen["environment"]["BUILDKITE_COMMIT"] == "c0ffee"
    assert seen["environment"]["BUILDKITE_PULL_REQUEST"] == "false"
    assert seen["environment"]["HF_HOME"] == "/root/data/.cache"
    for task in {request.task for request in here.modal.requests("FunctionPutOutputs")}:
        done = [request.rpc for request in here.modal.world.requests if request.task == task]
        assert done.index("VolumeCommit") < done.index("FunctionPutOutputs"), "whoever hears of it finds no files"
    assert b"hf_writes" not in _everything_sent(here)


@pytest.mark.slow
def test_what_a_job_reads_is_sent_with_it_and_a_mismatch_is_told_before_any_number(here: Site) -> None:
    Image.new("RGB", (300, 200), "teal").save(here.folder / "first frame.png")
    prompts = [{"text": text, "image": "first frame.png"} for text in ODD]
    (here.folder / "prompts.json").write_text(json.dumps(prompts), encoding="utf-8")
    words = ("engine=mock", "launcher=modal", "model=wan22_ti2v_5b", "prompt_file=prompts.json")
    seeded = here.run("op=seed_ssim", *words, "op.confirm=upload", IMAGE_VERSION="one")
    assert seeded.code == 0, seeded.text
    assert f"Published 6 file(s) to {here.folder.parent / 'home' / 'store'}" in seeded.out

    checked = here.run("op=check_ssim", *words, IMAGE_VERSION="two")
    assert checked.code == 0, checked.text
    cases = here.result("check_ssim", 0)["cases"]
    assert [case["prompt"] for case in cases] == ODD and [case["verdict"] for case in cases] == ["pass"] * 3
    told = "fastvideo-dev:one there, ghcr.io/hao-ai-lab/fastvideo/fastvideo-dev:two here"
    log = here.logs("check_ssim")[0]
    assert 0 < log.index(f"launcher.image: ghcr.io/hao-ai-lab/fastvideo/{told}") < log.index("| generate |")
    differing = {item["key"]: item["run"] for item in cases[0]["environment_difference"]}
    assert differing["launcher.env.IMAGE_VERSION"] == "two"

    unseeded = here.run("op=check_ssim", *words, "seed=5", IMAGE_VERSION="two")
    assert unseeded.code == 3, unseeded.text


def test_seeding_keeps_the_token_that_writes_at_home(here: Site) -> None:
    words = ("op=seed_ssim", "launcher=modal", *TROUBLE, "engine.options.kind=tell", "store=hub", "op.confirm=upload")
    with HubServer() as hub:
        hub.create("alice/refs")
        here.modal.secret("reads", HF_TOKEN=ALICE_READS)
        settings = ("store.repo_id=alice/refs", f"+launcher.env.HF_ENDPOINT={hub.url}", "launcher.secrets=[reads]")
        environment = {"HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1"}

        refused = here.run(*words, *settings, **environment, HF_TOKEN=ALICE_READS)
        assert refused.code == 2 and "write access" in refused.text
        blind = here.run(*words, *settings[:2], **environment, HF_TOKEN=ALICE)
        assert blind.code == 2 and "alice/refs cannot be read without one" in blind.err, blind.text
        assert here.modal.calls == []

        accepted = "op.accept=[engine]"
        tokens = {"HF_API_KEY": ALICE, "HF_TOKEN": ALICE_READS}  # the first one counts where both are
        passing = (*settings[:2], "launcher.pass_env=[HF_TOKEN]")
        seeded = here.run(*words, *passing, accepted, **environment, **tokens)
        assert seeded.code == 0 and "Published 2 file(s) to hf://datasets/alice/refs" in seeded.out, seeded.text
        repo = hub.repos["alice/refs"]
        assert len([path for path in repo.files(repo.branches["main"]) if path.startswith("reference_videos/")]) == 2
    assert _seen(here.logs("seed_ssim")[0])["environment"]["HF_TOKEN"] == ALICE_READS
    assert ALICE.encode() not in _everything_sent(here)


@pytest.mark.slow
def test_clips_are_scored_there_shard_by_shard(here: Site) -> None:
    for folder in ("gen", "ref"):
        for index, name in enumerate(("a, [1].mp4", "s/猫=b.mp4", "s/c.mp4", f"{folder} alone.mp4")):
            write_clip(here.folder / folder, name, 60 + 20 * index + (folder == "ref"))
    (here.folder / "gen" / "gone.mp4").symlink_to("nowhere.mp4")
    words = ("op=eval", "videos=gen", "references=ref", "metrics=[pixel,temporal]")
    assert here.run(*words).code == 0
    there = here.run("-m", *words, "op.shard=range(0,2)", "launcher=modal", "sweep=mine")
    assert there.code == 0 and "2 job(s)" in there.out, there.text
    assert [here.result("eval", number)["verdict"] for number in (0, 1)] == ["done", "done"]
    assert "2 video(s) without a reference: gen alone.mp4, gone.mp4" in there.out
    [merged] = here.sweep("eval").glob("merged*/scores.jsonl")
    told = [
        [(row.sample, row.metric, row.value, row.code, row.message, row.clips) for row in read_rows(path)]
        for path in (merged, here.folder / "outputs" / "latest" / "scores.jsonl")
    ]
    assert told[0] == told[1] and len(told[0]) == 5 * 4
    sent = "".join(path.read_text() for path in here.sweep("eval").glob("*/status/samples.jsonl"))
    scored = [json.loads(line)["id"] for line in sent.splitlines()]
    assert sorted(scored) == [
        "a, [1].mp4",
        "gen alone.mp4",
        "gone.mp4",
        "reference/ref alone.mp4",
        "s/c.mp4",
        "s/猫=b.mp4",
    ]


@pytest.mark.slow
def test_a_story_is_made_there_clip_after_clip(here: Site) -> None:
    write_story(here.folder, init_image="first.png", clips=[{"prompt": "one"}, {"prompt": "two"}])
    Image.new("RGB", (192, 192), (90, 20, 20)).save(here.folder / "first.png")
    command = here.run("op=run_job", "job_file=story.yaml", "engine=mock", "model=wan22_ti2v_5b", "launcher=modal")
    assert command.code == 0, command.text
    run = here.sweep("run_job") / "0"
    assert record(run, 1)["conditioning"]["frame"] == record(run, 0)["last_frame"]
    assert "engines/host.py" in (run / "status" / "stdout.log").read_text()
    home = here.run("op=run_job", "job_file=story.yaml", "engine=mock", "model=wan22_ti2v_5b")
    assert home.code == 0 and digests(here.folder / "outputs" / "latest") == digests(run)


def test_what_cannot_run_there_is_refused_before_anything_is_paid_for(here: Site) -> None:
    for words, environment, sentence in (
        ((), {"MODAL_TOKEN_SECRET": "as-wrong"}, "Modal does not accept this machine's token"),
        (("launcher.secrets=[gone]",), {}, "Secret 'gone' not found"),
        (("launcher.image.sources=[gone]",), {}, "no Python package of that name is here"),
    ):
        command = here.run(*GENERATE, *words, **environment)
        assert command.code == 2 and sentence in command.err and "Traceback" not in command.text, command.text
    assert here.modal.calls == [] and here.modal.functions == []


def test_a_dry_run_shows_the_function_and_sends_nothing(here: Site) -> None:
    command = here.run(*GENERATE, "gpu=h100", "launcher.secrets=[reads]", "dry_run=true", "launcher.timeout_s=60")
    assert command.code == 0, command.text
    for line in ("gpu: H100", "timeout: 660", "single_use_containers: true", "hf-model-weights: /root/data", "- reads"):
        assert line in command.out, command.out
    assert here.modal.world.requests == []


def test_ctrl_c_cancels_what_has_been_heard_of_while_it_ran(here: Site) -> None:
    waiting = ("engine.options.kind=wait", "engine.options.seconds=60")
    with here.started("-m", *GENERATE, *waiting, "seed=1,2") as process:
        here.modal.wait(lambda: sum("generating wait" in log for log in here.logs("generate")) == 2)
        command = here.interrupted(process)
    assert command.code == 130, command.text
    assert [here.result("generate", number)["verdict"] for number in (0, 1)] == ["interrupted"] * 2
    assert "job 1: Interrupted." in command.out and "Traceback" not in command.text
    assert len(here.modal.requests("FunctionCallCancel")) == 2
    here.modal.wait(lambda: not here.modal.world.tasks, 5)


@pytest.mark.slow
def test_detached_jobs_go_on_and_another_command_comes_back_to_them(here: Site) -> None:
    waiting = ("engine.options.kind=wait", "engine.options.seconds=4", "launcher.detach=true")
    with here.started("-m", *GENERATE, *waiting, "seed=1,2") as process:
        here.modal.wait(lambda: sum("generating wait" in log for log in here.logs("generate")) == 2)
        left = here.interrupted(process)
    assert left.code == 130 and not here.modal.requests("FunctionCallCancel"), left.text
    [comeback] = {
        line.partition("python -m fvhydra ")[2].rstrip(".") for line in left.out.splitlines() if "op=attach" in line
    }

    looked = here.run(*comeback.split(), "dry_run=true")
    assert looked.code == 0 and "fc-" not in looked.text, looked.text
    attached = here.run(*comeback.split())
    assert attached.code == 0, attached.text
    assert "job 0 generate case 0" in attached.err, "the log was not shown"
    assert [here.result("generate", number)["verdict"] for number in (0, 1)] == ["done"] * 2
    assert len(here.modal.calls) == 2

    again = here.run(*comeback.split())
    assert again.code == 0 and again.out.count("reused") == 2, again.text
    elsewhere = here.run("op=attach", "run=own")
    assert elsewhere.code == 2 and "not the folder of a sweep" in elsewhere.err
    as_a_job = here.run("-m", "op=attach", "seed=1,2")
    assert as_a_job.code == 2 and "op=attach follows jobs" in as_a_job.text


@pytest.mark.slow
def test_a_link_that_is_down_for_a_while_costs_nothing(here: Site) -> None:
    with here.started(*GENERATE, "engine.options.kind=wait", "engine.options.seconds=4") as process:
        here.modal.wait(lambda: any("generating wait" in log for log in here.logs("generate")))
        here.modal.cut()
        time.sleep(3)
        here.modal.mend()
        command = here.ended(process)
    assert command.code == 0 and "Traceback" not in command.text, command.text
    assert len(here.modal.calls) == 1 and here.logs("generate")[0].count("generating wait") == 1


@pytest.mark.slow
def test_results_that_were_not_committed_are_no_results(here: Site) -> None:
    here.modal.world.loses_commits = True
    command = here.run(*GENERATE, "sweep=mine")
    assert command.code == 4 and "on the Volume fvhydra-outputs is not what the container made" in command.out
    here.modal.world.loses_commits = False
    again = here.run(*GENERATE, "sweep=mine")
    assert again.code == 0 and here.result("generate", 0)["verdict"] == "done", again.text
