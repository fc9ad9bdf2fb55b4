# SPDX-License-Identifier: Apache-2.0
"""The interpreter that an engine in a process of its own runs under, and what that process is given."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fvhydra.core.errors import UsageError
from fvhydra.core.files import given_path
from fvhydra.core.trust import CLASSES_VARIABLE, refuse_class

if TYPE_CHECKING:
    from fvhydra.config.engine import EngineConfig

OLDEST_PYTHON = (3, 10)

_OF_OUR_ENVIRONMENT = ("PYTHONPATH", "PYTHONHOME", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__", "VIRTUAL_ENV")
"""Variables that would lead another interpreter to the packages of this one."""


def interpreter(config: EngineConfig) -> str:
    """The interpreter that ``engine.python`` names, as an absolute path; links are kept: they say which environment.

    Raises:
        UsageError: There is none, or ``engine.path`` is no folder.
    """
    if config.path is not None and not given_path(config.path).is_dir():
        raise UsageError(f"engine.path={config.path} is not a folder.", "Give the folder that holds the package.")
    if config.python is None:
        return sys.executable
    given = given_path(config.python)
    found = shutil.which(str(given))
    if found is None:
        inside = given / "bin" / "python"
        hint = f"Did you mean engine.python={inside}?" if inside.is_file() else "Give the path of a Python executable."
        raise UsageError(f"engine.python={config.python} is no program that can be run.", hint)
    return str(Path(found).absolute())


def process_environment(config: EngineConfig) -> dict[str, str]:
    """What the process is given: of this one everything, but for what leads to our own packages."""
    kept = {key: value for key, value in os.environ.items() if not (config.python and key in _OF_OUR_ENVIRONMENT)}
    if config.python:  # as activating its environment would
        kept["PATH"] = os.pathsep.join([str(Path(interpreter(config)).parent), kept.get("PATH", os.defpath)])
    refuse_class(config._target_, "engine")  # decided here: what is installed there vouches for nothing
    kept |= {"PYTHONUNBUFFERED": "1", CLASSES_VARIABLE: config._target_} | config.env
    if config.path is not None:  # in the environment, so that processes of the engine's own have it too
        first = str(given_path(config.path).absolute())
        kept["PYTHONPATH"] = os.pathsep.join(filter(None, [first, kept.get("PYTHONPATH")]))
    return kept


def not_an_interpreter(python: str) -> UsageError | None:
    """Why a program did not become an engine host: it is no Python, or too old a one; None when it is neither."""
    query = [python, "-c", "import sys; print('.'.join(map(str, sys.version_info[:3])))"]
    try:
        said = subprocess.run(query, capture_output=True, text=True, timeout=10, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        said = ""
    try:
        check_version(python, said)
    except UsageError as error:
        return error
    return None


def check_version(python: str, version: str) -> None:
    """Refuse what is no version of Python, or too old a one."""
    digits = version.split(".")[:2]
    if not (len(digits) == 2 and all(part.isdecimal() for part in digits)):
        raise UsageError(f"engine.python={python} is no Python interpreter.", "Give the path of a Python executable.")
    if tuple(map(int, digits)) < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        raise UsageError(f"engine.python={python} is Python {version}, and an engine needs {oldest} or newer.")
