# SPDX-License-Identifier: Apache-2.0
"""Names that some file systems cannot hold: what is tried, and what is refused before anything is lost."""

from __future__ import annotations

import errno
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from fvhydra.core.errors import UsageError
from fvhydra.core.filesystem import NameRules, check_names, probe, unholdable

WINDOWS = NameRules(folds_case=True, forbidden='?:*"<>|', cuts_endings=True)
MACOS = NameRules(folds_case=True, folds_accents=True)

Rules = Callable[[NameRules], None]


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch) -> Rules:
    """Sets what every folder makes of names."""
    return lambda wanted: monkeypatch.setattr("fvhydra.core.filesystem.probe", lambda _: wanted)


def test_this_file_system_holds_every_name(tmp_path: Path) -> None:
    assert probe(tmp_path) == NameRules()
    assert list(tmp_path.iterdir()) == []
    check_names(tmp_path / "not yet there", ["a/A cat?.mp4", "a/a cat?.mp4", "ends in a dot."])


def test_names_that_no_file_system_minds_are_not_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fvhydra.core.filesystem.probe", lambda _: 1 / 0)
    check_names(tmp_path, ["a/A cat.mp4", "a/a dog.mp4", "b/A cat.mp4", "caf\u00e9"])


def test_a_folder_that_takes_nothing_has_no_rules() -> None:
    assert probe(Path("/proc")) == NameRules()


class Emulated:
    """What Windows and macOS do, on top of this file system."""

    def __init__(self, kind: NameRules, patch: pytest.MonkeyPatch) -> None:
        self._kind = kind
        touch, exists = Path.touch, Path.exists

        def touched(path: Path, mode: int = 0o666, exist_ok: bool = True) -> None:
            if any(mark in path.name for mark in kind.forbidden if mark != ":"):
                raise OSError(errno.EINVAL, "Invalid argument")
            touch(path.with_name(self._stored(path.name)), mode, exist_ok)

        def there(path: Path, **settings: bool) -> bool:
            try:
                names = [other.name for other in path.parent.iterdir()]
            except OSError:
                return exists(path, **settings)
            return kind.key(self._stored(path.name)) in map(kind.key, names)

        patch.setattr(Path, "touch", touched)
        patch.setattr(Path, "exists", there)

    def _stored(self, name: str) -> str:
        if ":" in self._kind.forbidden:  # another stream of the file before it
            name = name.split(":")[0]
        name = name.rstrip(". ") if self._kind.cuts_endings else name
        return unicodedata.normalize("NFD", name) if self._kind.folds_accents else name


@pytest.mark.parametrize("kind", [WINDOWS, MACOS, NameRules(forbidden="?"), NameRules(cuts_endings=True)])
def test_what_a_file_system_does_is_found_out(tmp_path: Path, kind: NameRules) -> None:
    with pytest.MonkeyPatch.context() as patch:
        Emulated(kind, patch)
        found = probe.__wrapped__(tmp_path)
    assert (found.folds_case, found.folds_accents, found.cuts_endings) == (
        kind.folds_case,
        kind.folds_accents,
        kind.cuts_endings,
    )
    assert set(found.forbidden) == set(kind.forbidden)


@pytest.mark.parametrize("mark", '?:*"<>|')
def test_a_character_that_is_not_known_there(tmp_path: Path, rules: Rules, mark: str) -> None:
    rules(WINDOWS)
    [(path, reason)] = unholdable(tmp_path, ["a/fine.mp4", f"a/what{mark}.mp4"]).items()
    assert path == f"a/what{mark}.mp4" and f"knows no {mark} in a name" in reason


@pytest.mark.parametrize(("path", "what"), [("a/b./c", "dot"), ("a/ends in a dot.", "dot"), ("a/space ", "space")])
def test_an_ending_that_is_lost_there(tmp_path: Path, rules: Rules, path: str, what: str) -> None:
    rules(WINDOWS)
    assert f"drops the {what}" in unholdable(tmp_path, [path, "..mp4"])[path]
    assert unholdable(tmp_path, ["..mp4", ".hidden"]) == {}


def test_two_names_of_one_file(tmp_path: Path, rules: Rules) -> None:
    names = ["a/A cat.mp4", "a/a cat.mp4", "a/caf\u00e9", "a/cafe\u0301", "a/a dog.mp4"]
    rules(WINDOWS)
    assert list(unholdable(tmp_path, names)) == ["a/a cat.mp4"]
    rules(MACOS)
    assert unholdable(tmp_path, names) == {
        "a/a cat.mp4": "it is one file with a/A cat.mp4 there",
        "a/cafe\u0301": "it is one file with a/caf\u00e9 there",
    }


def test_what_is_there_already_counts(tmp_path: Path, rules: Rules) -> None:
    rules(WINDOWS)
    (tmp_path / "A cat.mp4").write_text("")
    assert unholdable(tmp_path, ["A cat.mp4"]) == {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "exists", lambda path: True)
        assert unholdable(tmp_path, ["a cat.mp4"]) == {"a cat.mp4": "it is one file with A cat.mp4 there"}


def test_the_refusal_names_the_first_and_what_to_do(tmp_path: Path, rules: Rules) -> None:
    rules(WINDOWS)
    with pytest.raises(
        UsageError, match=r"cannot hold 5 name.s.:\n    a0\?: it knows no \?(.|\n)*and 2 more"
    ) as caught:
        check_names(tmp_path, [f"a{number}?" for number in range(5)])
    assert "runtime.output_dir" in caught.value.hint


def test_up_to_three_names_are_listed_one_below_the_other(tmp_path: Path, rules: Rules) -> None:
    rules(WINDOWS)
    with pytest.raises(UsageError) as refused:
        check_names(tmp_path, ["a?*", "b.", "c "])
    assert refused.value.message == (
        f"The file system of {tmp_path} cannot hold 3 name(s):\n    a?*: it knows no ? * in a name"
        "\n    b.: it drops the dot at the end of a name\n    c : it drops the space at the end of a name"
    )
    assert refused.value.hint == (
        "Choose another file system (runtime.output_dir), or run the prompts one by one (prompt_index)."
    )


def test_the_folder_that_is_tried_is_the_nearest_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Path] = []
    monkeypatch.setattr("fvhydra.core.filesystem.probe", lambda folder: tried.append(folder) or WINDOWS)
    assert list(unholdable(tmp_path / "a" / "b", ["x?"])) == ["x?"]
    assert tried == [tmp_path]
