# SPDX-License-Identifier: Apache-2.0
"""What is known of the keys without composing anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydantic
import pytest
from hydra.core.config_store import ConfigStore

from fvhydra.config import schema
from fvhydra.config.gpu import GpuConfig
from fvhydra.config.launcher import LauncherConfig, ModalImage, ModalLauncherConfig, SlurmLauncherConfig
from fvhydra.testing import cases


@pytest.fixture(autouse=True)
def _asked_afresh() -> None:
    """What an earlier test asked for is remembered, and would hide a change of how it is found."""
    for remembered in (schema.typed_only, schema.environment_of, schema.counted, schema.typed_words):
        remembered.cache_clear()


def test_groups_are_the_keys_that_have_keys_of_their_own() -> None:
    assert schema.groups() == {
        *("op", "model", "sampling", "engine", "backend", "tier", "gpu", "prompts", "metrics", "store", "launcher"),
        *("runtime", "benchmark"),
    }


def test_keys_that_only_a_person_may_set() -> None:
    typed = schema.typed_only()
    assert {
        "op.confirm",
        "op.against",
        "op.repair",
        "op.accept",
        "op.bootstrap",
        "engine.python",
        "engine.path",
        "engine.env",
    } <= typed
    assert {
        "launcher.pass_env",
        "launcher.image.registry",
        "launcher.setup",
        "store.endpoint",
        "runtime.cache_dir",
    } <= typed
    assert not {"seed", "engine.isolate", "store.repo_id", "launcher.image.tag", "op.reason", "runtime"} & typed


def test_keys_that_are_read_from_the_environment() -> None:
    assert schema.environment_of() == {
        "store.path": "FVHYDRA_STORE",
        "store.repo_id": "FASTVIDEO_SSIM_REFERENCE_HF_REPO",
        "op.record": "PERF_UPLOAD_POLICY",
        "op.mirror": "PERFORMANCE_TRACKING_ROOT",
        "launcher.image.tag": "IMAGE_VERSION",
        "runtime.cache_dir": "FVHYDRA_CACHE",
        "op.max_intra_batch_regression": "PERF_MAX_REGRESSION",
        "op.ci.run_source": "PERF_RUN_SOURCE",
        "op.ci.commit": "BUILDKITE_COMMIT",
        "op.ci.branch": "BUILDKITE_BRANCH",
        "op.ci.pr_number": "BUILDKITE_PULL_REQUEST",
        "op.ci.test_scope": "TEST_SCOPE",
        "op.ci.build_url": "BUILDKITE_BUILD_URL",
        "op.ci.build_id": "BUILDKITE_BUILD_ID",
        "op.ci.job_id": "BUILDKITE_JOB_ID",
    }


@pytest.mark.parametrize(
    ("words", "folders"),
    [
        ([], []),
        (["op=eval", "--config-dir", "a", "--config-dir=b=c", "-cd", "d"], ["a", "b=c", "d"]),
        (["--config-dir"], [""]),
        (["--config-dirs", "x", "-cd=y"], ["y"]),
        (["-cd", "-cd"], ["-cd", ""]),
    ],
)
def test_folders_that_a_command_line_adds(words: list[str], folders: list[str]) -> None:
    assert schema.config_dirs(words) == folders


def test_the_yaml_files_are_inside_an_installed_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "package" / "config").mkdir(parents=True)
    monkeypatch.setattr(schema, "__file__", str(tmp_path / "package" / "config" / "schema.py"))
    assert schema.conf_dir() == tmp_path / "conf"
    (tmp_path / "package" / "conf").mkdir()
    assert schema.conf_dir() == tmp_path / "package" / "conf"


def test_every_dataclass_is_known_to_hydra_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    stored: list[dict[str, Any]] = []
    monkeypatch.setattr(ConfigStore.instance(), "store", lambda **named: stored.append(named))
    schema.register()
    root, *others = stored
    assert root == {"group": "schema", "name": "root", "node": schema.Config, "package": "_global_"}
    assert {"group": "schema/store", "name": "hub", "node": schema.store.HubStoreConfig} in others
    assert len(others) == sum(len(nodes) for group, nodes in schema.SCHEMAS.items() if group != "schema")


def test_properties_of_choices() -> None:
    gpu = {"name": "g", "folder": "G", "pattern": ".*"}
    assert (GpuConfig(**gpu, count=0).device, GpuConfig(**gpu, count=2).device) == ("cpu", "cuda")
    launcher = {"_target_": "a.B", "name": "l"}
    assert LauncherConfig(**launcher).same_environment
    assert SlurmLauncherConfig(**launcher).same_environment
    assert not SlurmLauncherConfig(**launcher, python="/opt/python").same_environment
    assert not ModalLauncherConfig(**launcher, image=ModalImage(registry="r")).same_environment


@pytest.mark.parametrize(
    ("model", "modality", "extension"),
    [
        ("wan21_t2v_1_3b", "video", ".mp4"),
        ("hunyuan_i2v", "video", ".mp4"),
        ("ltx2", "video", ".pt"),
        ("stable_audio_open", "audio", ".pt"),
    ],
)
def test_what_a_model_makes(model: str, modality: str, extension: str) -> None:
    found = cases.model(model)
    assert (found.modality, found.extension) == (modality, extension)


def test_a_model_that_is_compared_by_latents_says_what_they_are() -> None:
    with pytest.raises(pydantic.ValidationError) as refused:
        cases.model("wan21_t2v_1_3b", artifact="latent", latent=None)
    said = "Value error, artifact is latent, so model.latent (slice_kind, shape) must be given"
    assert refused.value.errors()[0]["msg"] == said
