# SPDX-License-Identifier: Apache-2.0
"""Which classes and addresses the words of a command name, and the folders that it adds."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from fvhydra.config.root import Config
from fvhydra.core import untrusted
from fvhydra.core.errors import UsageError
from fvhydra.core.trust import trust_classes, trust_endpoints

_TARGET = re.compile(r"_target_['\"]?\s*[:=]\s*['\"]?([\w.]+)")
_SCHEMA = re.compile(r"schema/\w+(?:@[\w.]*)?['\"]?\s*:\s*['\"]?([\w.]+\.[\w.]+)")
_ENDPOINT = re.compile(r"\+{0,2}store\.endpoint=(?P<given>.+)", re.DOTALL)


def trust_command(words: Sequence[str], folders: Iterable[Path] = ()) -> None:
    """Trust what a command line says, for this process and all that it starts.

    Args:
        words: What was typed.
        folders: Folders like ``conf/`` that it or the environment names; not those of a project's settings.
    """
    trust_classes(name for word in words for name in _TARGET.findall(word))
    trust_config_dirs(folders)
    typed = [found["given"] for word in words if (found := _ENDPOINT.fullmatch(word))]
    trust_endpoints(part for given in typed for part in given.split(","))


def trust_config_dirs(folders: Iterable[Path]) -> None:
    """Trust the classes that the choices in folders like ``conf/`` name."""
    groups = [field.name for field in dataclasses.fields(Config)]
    for folder in folders:
        for path in (path for group in groups for path in (folder / group).rglob("*.yaml")):
            with contextlib.suppress(UsageError):  # composing says what is wrong with it
                text = untrusted.read_text(path, most_bytes=untrusted.YAML_BYTES)
                trust_classes([*_TARGET.findall(text), *_SCHEMA.findall(text)])
