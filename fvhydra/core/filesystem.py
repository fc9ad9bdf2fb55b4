# SPDX-License-Identifier: Apache-2.0
"""Which names a file system can hold: not every one of a store can everywhere.

A reference is named by its prompt, so that other tools find it, and stores are shared between machines. Windows, exFAT
and network shares know no ``?`` in a name and drop a dot at its end; there, and on macOS, ``A cat`` and ``a cat`` are
one file, and the second would silently take the place of the first. What a file system does is tried, not guessed.
"""

from __future__ import annotations

import functools
import tempfile
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fvhydra.core.errors import UsageError

_DOUBTFUL = '?:*"<>|'
_SHOWN = 3


@dataclass(frozen=True)
class NameRules:
    """What a file system makes of names.

    Attributes:
        folds_case: ``a`` and ``A`` are one file.
        folds_accents: A letter with its accent is one file with the letter followed by the accent (NFC and NFD).
        forbidden: Characters that no name may have.
        cuts_endings: A dot or space at the end of a name is refused or lost.
    """

    folds_case: bool = False
    folds_accents: bool = False
    forbidden: str = ""
    cuts_endings: bool = False

    def key(self, name: str) -> str:
        """What two names of one file have in common."""
        name = unicodedata.normalize("NFC", name) if self.folds_accents else name
        return name.casefold() if self.folds_case else name


_STRICTEST = NameRules(folds_case=True, folds_accents=True, forbidden=_DOUBTFUL, cuts_endings=True)


@functools.lru_cache(maxsize=64)
def probe(folder: Path) -> NameRules:
    """Try what names a folder takes; it is as before afterwards. A folder that takes none at all has no rules."""
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".tmp-names-") as name:
            scratch = Path(name)
            return NameRules(
                folds_case=_made(scratch, "case") and (scratch / "CASE").exists(),
                folds_accents=_made(scratch, "\u00e9") and (scratch / "e\u0301").exists(),
                forbidden="".join(mark for mark in _DOUBTFUL if not _made(scratch, f"x{mark}x")),
                cuts_endings=not (_made(scratch, "dot.") and _made(scratch, "space ")),
            )
    except OSError:
        return NameRules()


def unholdable(folder: Path, paths: Iterable[str]) -> dict[str, str]:
    """Paths that cannot be files below ``folder``, each with the reason; of those that would be one, all but the first.

    Args:
        folder: It need not be there.
        paths: Relative, with forward slashes. What is in the folder already counts too.
    """
    paths = list(paths)
    if not _doubtful(folder, paths):
        return {}
    rules = probe(next(parent for parent in (folder, *folder.parents) if parent.is_dir()))
    if rules == NameRules():
        return {}
    found: dict[str, str] = {}
    first: dict[str, str] = {}
    for path in paths:
        reason = _reason(path, rules) or _twin(folder / path, rules)
        other = first.setdefault(rules.key(path), path)
        if reason is None and other != path:
            reason = f"it is one file with {other} there"
        if reason is not None:
            found[path] = reason
    return found


def check_names(folder: Path, paths: Iterable[str]) -> None:
    """Refuse paths that ``folder`` could not hold, before one is lost.

    Raises:
        UsageError: Names the first of them, with the reasons.
    """
    if found := unholdable(folder, paths):
        listed = "".join(f"\n    {path}: {reason}" for path, reason in list(found.items())[:_SHOWN])
        more = f"\n    and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise UsageError(
            f"The file system of {folder} cannot hold {len(found)} name(s):{listed}{more}",
            "Choose another file system (runtime.output_dir), or run the prompts one by one (prompt_index).",
        )


def _doubtful(folder: Path, paths: list[str]) -> bool:
    """Whether any file system could mistake these names: seldom, so that it is seldom tried what this one does."""
    return (
        any(_reason(path, _STRICTEST) for path in paths)
        or len({_STRICTEST.key(path) for path in paths}) < len(paths)
        or any((folder / path).exists() for path in paths)  # perhaps under another name
    )


def _reason(path: str, rules: NameRules) -> str | None:
    for part in path.split("/"):
        if marks := [mark for mark in rules.forbidden if mark in part]:
            return f"it knows no {' '.join(marks)} in a name"
        if rules.cuts_endings and part[-1:] in (".", " "):
            return f"it drops the {'dot' if part.endswith('.') else 'space'} at the end of a name"
    return None


def _twin(path: Path, rules: NameRules) -> str | None:
    """Whether another name of the folder already is this file."""
    if not (rules.folds_case or rules.folds_accents) or not path.parent.is_dir():
        return None
    names = [other.name for other in path.parent.iterdir() if rules.key(other.name) == rules.key(path.name)]
    return f"it is one file with {names[0]} there" if names and path.name not in names else None


def _made(folder: Path, name: str) -> bool:
    """Whether a file of that name can be made, and then has it: Windows makes another file of a name with a colon."""
    try:
        (folder / name).touch(exist_ok=False)
    except (OSError, ValueError):
        return False
    listed = {path.name for path in folder.iterdir()}
    return name in listed or unicodedata.normalize("NFD", name) in listed
