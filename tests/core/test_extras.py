# SPDX-License-Identifier: Apache-2.0
"""What says that a library is missing says the one line that installs it."""

from __future__ import annotations

import sys

import pytest

from fvhydra.core import extras
from fvhydra.core.errors import UsageError


def test_several_extras_are_one_line_and_what_none_brings_is_named_beside_them() -> None:
    assert extras.install_line(["torch", "soxr", "diffusers"]) == "pip install 'fvhydra[audio,diffusers]'"
    assert extras.install_line(["modal", "mine"]) == "pip install 'fvhydra[modal]' mine"


def test_a_choice_names_all_that_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torch", "soxr"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError) as caught:
        extras.require("metrics=audio", ["torch", "numpy", "soxr"])
    assert caught.value.message.startswith("metrics=audio cannot do without torch, soxr, which")
    assert caught.value.hint == "pip install 'fvhydra[audio,diffusers]'"
    extras.require("metrics=pixel", ["numpy"])


def test_how_to_install_is_for_what_no_extra_brings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    for modules, hint in ((["fvhydra_absent"], "build it"), (["torch"], "pip install 'fvhydra[diffusers]'")):
        with pytest.raises(UsageError) as caught:
            extras.require("engine=mine", modules, how="build it")
        assert caught.value.hint == hint


def test_only_a_module_of_an_extra_that_is_not_there_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "modal", None)
    known = extras.explained(ModuleNotFoundError("No module named 'modal.app'", name="modal.app"))
    assert isinstance(known, UsageError) and "modal" in known.message
    for error in (
        ModuleNotFoundError("No module named 'torch.nothing'", name="torch.nothing"),
        ModuleNotFoundError("No module named 'mine'", name="mine"),
        ImportError("libcudart.so.13: cannot open shared object file", name="torch"),
        ValueError("torch"),
    ):
        assert extras.explained(error) is error


def test_a_package_that_no_extra_brings_is_installed_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert extras.install_line(iter(["mine", "yours"])) == "pip install mine yours"
    assert extras.install_line(["torch", "transformers", "soxr"]) == "pip install 'fvhydra[audio,diffusers]'"
    with pytest.raises(UsageError) as refused:
        extras.require("engine=mine", ["fvhydra_absent", "fvhydra_gone"])
    assert refused.value.message == (
        "engine=mine cannot do without fvhydra_absent, fvhydra_gone, which this Python environment does not have."
    )
    assert refused.value.hint == "pip install fvhydra_absent fvhydra_gone"


def test_what_is_missing_is_found_without_importing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "modal", None)
    monkeypatch.delitem(sys.modules, "antigravity", raising=False)
    monkeypatch.setitem(sys.modules, "fvhydra_made_here", type(sys)("fvhydra_made_here"))
    assert extras.missing(["antigravity", "modal", "fvhydra_absent", "fvhydra_made_here"]) == [
        "modal",
        "fvhydra_absent",
    ]
    assert "antigravity" not in sys.modules


def test_who_cannot_do_without_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "modal", None)
    error = ModuleNotFoundError("No module named 'modal.app.x'", name="modal.app.x")
    for given, who in (((error,), "This"), ((error, "launcher=modal"), "launcher=modal")):
        known = extras.explained(*given)
        assert isinstance(known, UsageError)
        assert known.message == f"{who} cannot do without modal, which this Python environment does not have."
        assert known.hint == "pip install 'fvhydra[modal]'"
    nameless = ModuleNotFoundError("modal")
    assert extras.explained(nameless) is nameless
