# SPDX-License-Identifier: Apache-2.0
"""A class that a configuration names is that class, or a sentence says why not."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from pathlib import Path

import pytest

from fvhydra.core.errors import UsageError
from fvhydra.core.loading import load_class
from fvhydra.core.trust import CLASSES_VARIABLE


class Base(ABC):
    @abstractmethod
    def play(self) -> None: ...

    @abstractmethod
    def pause(self) -> None: ...


class Whole(Base):
    def play(self) -> None: ...

    def pause(self) -> None: ...


class Half(Base): ...


@pytest.fixture(autouse=True)
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["tests", "pathlib.Path", "X", "fvhydra_absent", "fvhydra_broken", "fvhydra_needs"]
    monkeypatch.setenv(CLASSES_VARIABLE, ",".join(names))


HERE, BASE = __name__, f"{Base.__module__}.Base"
CHECK = "Check the dotted path, and that its package is installed in this environment."


def test_the_class_is_the_one_that_is_named() -> None:
    assert load_class(f"{HERE}.Whole", "player", Base) is Whole


@pytest.mark.parametrize(
    ("target", "message", "hint"),
    [
        (f"{HERE}.None_", f"cannot be imported (module {HERE!r} has no attribute 'None_').", CHECK),
        ("fvhydra_absent.X", "cannot be imported (No module named 'fvhydra_absent').", CHECK),
        ("X", "cannot be imported (Empty module name).", CHECK),
        (f"{HERE}.HERE", f"is not a class derived from {BASE}.", ""),
        ("pathlib.Path", f"is not a class derived from {BASE}.", ""),
        (f"{HERE}.Half", f"lacks pause, play, which {BASE} asks for.", "Add to Half what its contract names."),
    ],
)
def test_anything_else_is_one_sentence(target: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as refused:
        load_class(target, "player", Base)
    assert refused.value.message == f"player={target} {message}"
    assert refused.value.hint == hint


def test_whatever_a_module_raises_while_it_is_imported_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fvhydra_broken.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError) as refused:
        load_class("fvhydra_broken.X", "player", Base)
    assert "cannot be imported (ZeroDivisionError: division by zero)." in refused.value.message


def test_a_library_of_an_extra_that_is_missing_is_named_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fvhydra_needs.py").write_text("import soxr")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "soxr", None)
    with pytest.raises(UsageError) as refused:
        load_class("fvhydra_needs.X", "player", Base)
    assert refused.value.message.startswith("player=fvhydra_needs.X cannot do without soxr,")
    assert refused.value.hint == "pip install 'fvhydra[audio]'"
