# SPDX-License-Identifier: Apache-2.0
"""Classes are imported and tokens sent where this command and its environment say so, and nobody else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fvhydra.core import trust
from fvhydra.core.errors import UsageError
from fvhydra.core.loading import load_class
from fvhydra.core.project import Settings, config_folders
from fvhydra.core.trusted_words import trust_command
from fvhydra.engines.base import Engine


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that tells of its import by a file."""
    name = "strangers_module"
    text = f"""from pathlib import Path
Path({str(tmp_path / "ran")!r}).touch()
class Thing: ...
class Options: ..."""
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, name, raising=False)
    return name


def test_a_class_that_nobody_named_is_not_imported(module: str, tmp_path: Path) -> None:
    for target in (f"{module}.Thing", "os.system", "", "x", "fvhydraX.Thing", f"tests_{module}.Thing"):
        with pytest.raises(UsageError, match="named by a file, and neither by this command line"):
            load_class(target, "engine._target_", object)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["engine._target_={}.Thing"],
        ["-m", "+engine._target_=a.B,{}.Thing"],
        ["metrics.use={{toy: {{it: {{_target_: {}.Thing}}}}}}"],
    ],
)
def test_a_class_that_was_typed_is_imported(module: str, tmp_path: Path, words: list[str]) -> None:
    trust_command([word.format(module) for word in words])
    if words[0] == "-m":  # the first of two
        trust_command([f"engine._target_={module}.Thing"])
    load_class(f"{module}.Thing", "engine._target_", object)
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("words", [["--config-dir", "mine"], ["-cd", "mine"], ["--config-dir=mine"]])
def test_a_folder_that_was_typed_names_classes(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine" / "engine").mkdir(parents=True)
    (tmp_path / "mine" / "engine" / "x.yaml").write_text(
        f"# X\ndefaults:\n  - /schema/engine@_here_: {module}.Options\n_target_: {module}.Thing\n"
    )
    (tmp_path / "mine" / "other.yaml").write_text("_target_: elsewhere.Thing\n")
    trust_command(words, [folder.path for folder in config_folders(words, Settings())])
    load_class(f"{module}.Thing", "engine._target_", object)
    load_class(f"{module}.Options", "engine", object)
    with pytest.raises(UsageError, match="named by a file"):
        load_class("elsewhere.Thing", "engine._target_", object)


def test_an_installed_package_announces_classes(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "registered", lambda: frozenset({f"{module}.Thing"}))
    load_class(f"{module}.Thing", "engine._target_", object)
    with pytest.raises(UsageError, match="named by a file"):
        load_class(f"{module}.Other", "engine._target_", object)


def test_what_is_trusted_still_must_be_what_it_stands_for(module: str) -> None:
    trust.trust_classes([module])
    with pytest.raises(UsageError, match=r"not a class derived from fvhydra\.engines\.base\.Engine"):
        load_class(f"{module}.Thing", "engine._target_", Engine)
    with pytest.raises(UsageError, match="not a class derived from"):  # and does not run the command line
        load_class("fvhydra.__main__.main", "engine._target_", Engine)


def test_a_token_goes_where_the_command_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    trust.refuse_endpoint("https://huggingface.co/")
    for wrong in ("https://huggingface.co.evil", "http://huggingface.co", "http://mirror", "https://a@evil"):
        with pytest.raises(UsageError, match=r"comes from a file.* say https://huggingface\.co: no token"):
            trust.refuse_endpoint(wrong)
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror/api")
    trust.refuse_endpoint("http://MIRROR/api/")
    with pytest.raises(UsageError, match="say http://mirror/api: no token"):
        trust.refuse_endpoint("https://huggingface.co")
    trust_command(["-m", "store.endpoint=http://one,'http://ada:secret@two'"])
    for right in ("http://one", "http://two"):
        trust.refuse_endpoint(right)
    assert set(trust.trusted_variables()) >= {trust.CLASSES_VARIABLE, trust.ENDPOINTS_VARIABLE}
    assert "secret" not in str(trust.trusted_variables())


def test_an_address_that_is_not_trusted_is_shown_beside_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "HTTP://Mirror/")
    monkeypatch.setenv(trust.ENDPOINTS_VARIABLE, "http://one")
    with pytest.raises(UsageError) as refused:
        trust.refuse_endpoint("https://ada:secret@evil")
    assert refused.value.message == (
        "store.endpoint=https://evil comes from a file, and this command line and its environment say "
        "http://mirror and http://one: no token is sent to another address."
    )
    assert refused.value.hint == "If you trust it, give it in the command (store.endpoint=...) or as HF_ENDPOINT."
    with pytest.raises(UsageError, match="no token is sent"):
        trust.refuse_endpoint("http://[")  # no address at all


def test_what_is_trusted_is_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(trust.CLASSES_VARIABLE, "a.B")
    trust.trust_classes(["a.B", "", "c.D", "c.D"])
    assert trust.trusted_variables()[trust.CLASSES_VARIABLE] == "a.B,c.D"
