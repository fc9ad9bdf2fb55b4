# SPDX-License-Identifier: Apache-2.0
"""Libraries that only some choices need: which of them this environment lacks, and the one line that installs them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.util import find_spec

from fvhydra.core.errors import UsageError

EXTRAS: dict[str, tuple[str, ...]] = {
    "audio": ("soxr",),
    "diffusers": (
        *("torch", "diffusers", "transformers", "accelerate", "tokenizers"),
        *("safetensors", "sentencepiece", "ftfy", "torchsde"),
    ),
    "history": ("ruptures", "matplotlib"),
    "modal": ("modal",),
    "sftp": ("paramiko",),
    "slurm": ("submitit",),
    "zstd": ("zstandard",),
}
"""What is in the brackets of ``pip install 'fvhydra[...]'`` to the top-level modules that it brings."""


def missing(modules: Iterable[str]) -> list[str]:
    """Those of some top-level modules that this environment lacks. Imports none of them."""
    return [name for name in modules if sys.modules.get(name) is None and find_spec(name) is None]


def install_line(modules: Iterable[str]) -> str:
    """The command that installs modules; one that no extra brings is taken for the name of its package.

    Example:
        >>> install_line(["torch", "transformers", "soxr"])
        "pip install 'fvhydra[audio,diffusers]'"
    """
    wanted = list(modules)
    extras, others = _extras_of(wanted), [name for name in wanted if not _extras_of([name])]
    return " ".join(["pip install", *([f"'fvhydra[{','.join(extras)}]'"] if extras else []), *others])


def require(who: str, modules: Iterable[str], how: str = "") -> None:
    """Refuse a choice whose libraries are not installed.

    Args:
        who: The choice, as it was typed: ``launcher=slurm``.
        modules: Top-level modules that it imports.
        how: How to install those that no extra brings; empty: with pip, by their names.

    Raises:
        UsageError: Names all that are missing.
    """
    if lacking := missing(modules):
        raise _lacking(who, lacking, how)


def explained(error: BaseException, who: str = "This") -> BaseException:
    """The same error, or, when it is about a module that an extra brings, one that says which line installs it."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        name = error.name.partition(".")[0]
        if _extras_of([name]) and missing([name]):
            return _lacking(who, [name])
    return error


def _extras_of(modules: list[str]) -> list[str]:
    return sorted(extra for extra, brought in EXTRAS.items() if set(brought).intersection(modules))


def _lacking(who: str, modules: list[str], how: str = "") -> UsageError:
    return UsageError(
        f"{who} cannot do without {', '.join(modules)}, which this Python environment does not have.",
        install_line(modules) if _extras_of(modules) else how or install_line(modules),
    )
