# SPDX-License-Identifier: Apache-2.0
"""The settings of a project: where they are found, what holds of them, and what they may not say."""

from __future__ import annotations

from pathlib import Path

import pytest

from fvhydra.config.schema import conf_dir, environment_of, typed_only
from fvhydra.core.data_only import refuse_file
from fvhydra.core.errors import UsageError
from fvhydra.core.project import applied, config_folders, project_settings


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "deep" / "er").mkdir(parents=True)
    return tmp_path


def write(project: Path, text: str) -> Path:
    (project / "fvhydra.yaml").write_text(text)
    return project / "fvhydra.yaml"


def held(project: Path, *typed: str) -> list[str]:
    of_project, own = applied(project_settings(project), typed)
    return [*of_project, *own]


def test_the_nearest_settings_hold_below_them(project: Path) -> None:
    file = write(project, "overrides: [seed=1]\nconfig_dirs: [my_conf]")
    for folder in (project, project / "deep" / "er"):
        found = project_settings(folder)
        assert (found.file, found.overrides, found.config_dirs) == (file, ("seed=1",), (project / "my_conf",))
    (project / "deep" / "pyproject.toml").write_text(
        '[tool.fvhydra]\noverrides = ["seed=2"]\n[tool.fvhydra.sweeps]\nnightly = ["op=generate", "seed=1,2"]\n'
    )
    assert project_settings(project / "deep" / "er").overrides == ("seed=2",)
    assert project_settings(project / "deep").sweeps == {"nightly": ("op=generate", "seed=1,2")}
    assert project_settings(project).overrides == ("seed=1",)


def test_a_pyproject_without_a_table_of_ours_says_nothing(project: Path) -> None:
    write(project, "overrides: [seed=1]")
    (project / "deep" / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    (project / "deep" / "er" / "pyproject.toml").write_text("no TOML")
    assert project_settings(project / "deep" / "er").overrides == ("seed=1",)


def test_what_is_above_the_checkout_or_open_to_everybody_does_not_hold(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, "overrides: [seed=1]")
    (project / "deep" / ".git").touch()  # a worktree's is a file
    assert project_settings(project / "deep").file is None
    (project / "deep" / ".git").unlink()
    monkeypatch.setenv("HOME", str(project / "deep"))
    assert project_settings(project / "deep" / "er").file is None
    monkeypatch.undo()
    project.chmod(0o777)
    assert project_settings(project / "deep").file is None
    assert project_settings(project).overrides == ("seed=1",), "who stands in it means it"


def test_settings_in_two_files_of_a_folder_are_refused(project: Path) -> None:
    write(project, "overrides: [seed=1]")
    (project / "pyproject.toml").write_text("[tool.fvhydra]\n")
    with pytest.raises(UsageError, match=r"has settings in fvhydra\.yaml and in pyproject\.toml"):
        project_settings(project)


def test_typed_is_before_environment_is_before_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project, "overrides: [store=hub, store.repo_id=org/refs, seed=1, store.revision=r]")
    assert held(project) == ["store=hub", "store.repo_id=org/refs", "seed=1", "store.revision=r"]
    assert held(project, "seed=2") == ["store=hub", "store.repo_id=org/refs", "store.revision=r", "seed=2"]
    assert held(project, "store=local") == ["seed=1", "store=local"], "what is said of another choice goes with it"
    assert held(project, "++store.revision=x")[-1] == "++store.revision=x" and "store.revision=r" not in held(
        project, "++store.revision=x"
    )
    monkeypatch.setenv("FASTVIDEO_SSIM_REFERENCE_HF_REPO", "me/mine")
    assert held(project) == ["store=hub", "seed=1", "store.revision=r"]


def test_a_sweep_is_called_by_name(project: Path) -> None:
    write(project, "overrides: [seed=1, engine=mock]\nsweeps: {nightly: [op=generate, 'seed=1,2']}")
    assert held(project, "@nightly") == ["engine=mock", "op=generate", "seed=1,2"]
    assert held(project, "@nightly", "seed=7") == ["engine=mock", "op=generate", "seed=7"]
    with pytest.raises(UsageError, match=r"@nightl: no sweep of that name is in .*fvhydra\.yaml[^$]*@nightly"):
        held(project, "@nightl")


@pytest.mark.parametrize(
    "word",
    [
        *("hydra.run.dir=/", "hydra/launcher=joblib", "++hydra.callbacks.x={_target_: shutil.copy}"),
        *("engine._target_=os.system", "'metrics.use={a: {b: {_target_: c.D}}}'", "+engine.options._args_=[1]"),
        *("op.confirm=upload", "op.accept=[x]", "op.bootstrap=true", "store.endpoint=https://x"),
        *("launcher.pass_env=[HF_TOKEN]", "'launcher={pass_env: [HF_TOKEN]}'", "launcher=pool,{setup: [x]}"),
        *(
            "launcher.image.commands=[x]",
            "'launcher.image={commands: [x]}'",
            "launcher.python=./x",
            "launcher.setup=[x]",
        ),
        *("'prompt=${oc.env:HF_TOKEN}'", "engine@launcher=mock", "--config-dir=x", "nonsense", "=1"),
        *("runtime.cache_dir=.", "+launcher.extra.prolog=./x", "~op"),
    ],
)
@pytest.mark.parametrize("place", ["overrides: [{}]", "sweeps: {{x: [{}]}}"])
def test_what_is_a_persons_to_say_is_refused(project: Path, word: str, place: str) -> None:
    quoted = word if word.startswith("'") else f"'{word}'"
    file = write(project, place.format(quoted))
    with pytest.raises(UsageError, match=rf"^{file}: ") as caught:
        project_settings(project)
    assert word.strip("'").partition("=")[0].lstrip("+~") in caught.value.message


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("override: [seed=1]", "has 'override', which is none of: config_dirs, overrides, sweeps"),
        ("overrides: seed=1", "overrides is 'seed=1'"),
        ("sweeps: {a b: [seed=1]}", r"sweeps\.a b must be letters"),
        ("- seed=1", "must hold keys of config_dirs, overrides, sweeps"),
        ("a: &a [x]\nb: [*a, *a", "is not valid YAML"),
    ],
)
def test_what_is_wrong_is_named_with_its_file(project: Path, text: str, sentence: str) -> None:
    file = write(project, text)
    with pytest.raises(UsageError, match=sentence) as caught:
        project_settings(project)
    assert str(file) in caught.value.message


def test_folders_of_command_environment_and_project_in_this_order(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("typed", "more", "a", "b", "settled"):
        (project / name).mkdir()
    monkeypatch.chdir(project)
    monkeypatch.setenv("FVHYDRA_CONFIG_DIR", "a:b")
    write(project, "config_dirs: [settled]")
    given = ["--config-dir", "typed", "op=generate", "-cd=more"]
    found = config_folders(given, project_settings())
    assert [(folder.path.name, folder.origin) for folder in found] == [
        *(("typed", "command"), ("more", "command"), ("a", "environment"), ("b", "environment")),
        ("settled", "project"),
    ]
    for nothing in (["--config-dir"], ["--config-dir="], ["-cd="]):
        with pytest.raises(UsageError, match="--config-dir needs a folder"):
            config_folders(nothing, project_settings())
    monkeypatch.setenv("FVHYDRA_CONFIG_DIR", "gone")
    with pytest.raises(UsageError, match="FVHYDRA_CONFIG_DIR gone: there is no such folder"):
        config_folders(given, project_settings())


def test_every_variable_that_conf_reads_is_declared_with_its_key() -> None:
    """Or a project's setting would be stronger than the environment."""
    read = [line.strip() for file in conf_dir().rglob("*.yaml") for line in file.read_text().splitlines()]
    keys = {line.partition(":")[0]: line for line in read if "${oc.env:" in line and line[0].islower()}
    declared = {key.rpartition(".")[2]: variable for key, variable in environment_of().items()}
    assert {key: declared.get(key) in line for key, line in keys.items()} == dict.fromkeys(keys, True)


def test_keys_that_run_programs_are_declared() -> None:
    assert {"launcher.setup", "launcher.image.commands", "launcher.pass_env", "op.confirm"} <= typed_only()


FILE = Path("conf/engine/x.yaml")


@pytest.mark.parametrize(
    ("group", "values", "message"),
    [
        ("engine", {"python": "/x"}, "engine.python: only the command line may set this."),
        ("", {"hydra": {"run": {"dir": "x"}}}, "hydra.run.dir: only the command line may set this."),
        ("engine", {"options": [{"a": "${oc.env:HF_TOKEN}"}]}, "engine.options.a=${oc.env:HF_TOKEN}: only keys may be"),
        (
            "engine",
            {"_target_": "strange.Engine"},
            "engine._target_=strange.Engine is no class of fvhydra, nor registered by an installed package.",
        ),
        ("", {"metrics": {"use": {"a": {"b": {"_target_": "x.Y"}}}}}, "metrics.use.a.b._target_=x.Y is no class of"),
    ],
)
def test_a_file_of_a_projects_folder_only_gives_values(group: str, values: object, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        refuse_file(FILE, group, values)
    assert refused.value.message.startswith(f"{FILE}: {message}")
    assert refused.value.hint == (
        "Name the folder yourself if you trust it (--config-dir), or install the package that registers the class."
        if "_target_" in message
        else "Type it, or export it: this file is data, whoever wrote it."
    )


def test_values_and_classes_of_ours_are_what_such_a_file_is_for() -> None:
    refuse_file(FILE, "engine", {"_target_": "fvhydra.engines.mock.MockEngine", "options": {"a": [1, "${seed}", None]}})
    refuse_file(FILE, "", None)
