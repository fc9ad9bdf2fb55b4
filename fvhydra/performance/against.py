# SPDX-License-Identifier: Apache-2.0
"""The other side of a comparison on one machine: the same job with another engine, environment, backend or dtype."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pydantic
from omegaconf import OmegaConf

from fvhydra.config.backend import BackendConfig
from fvhydra.config.engine import EngineConfig
from fvhydra.config.problems import first_problem, nearest
from fvhydra.config.root import Config
from fvhydra.config.schema import conf_dir
from fvhydra.core import files, untrusted
from fvhydra.core.errors import UsageError

REF = "ref"
KEYS = (REF, "engine", "engine.python", "engine.path", "engine.env", "engine.options", "backend", "dtype")
"""What may be other; ``ref`` is a git ref of the checkout that ``engine.path`` names."""


def other_side(config: Config, against: Mapping[str, Any]) -> Config:
    """The job of the other side; ``ref`` is left to :func:`worktree`.

    Raises:
        UsageError: A key is none of :data:`KEYS`, or its value is no choice.
    """
    for key in against:
        if key not in KEYS and not key.startswith("engine.options."):
            raise UsageError(f"op.against has no {key}.{nearest(key, KEYS)} It takes: {', '.join(KEYS)}.")
    if REF in against and "engine.path" in against:
        raise UsageError("op.against names both ref and engine.path, two checkouts.", "Leave one of them away.")
    engine = config.engine
    if "engine" in against:
        engine = _choice("engine", against["engine"], EngineConfig)
    plain = {key.removeprefix("engine."): value for key, value in against.items() if key.startswith("engine.")}
    options = {**engine.options, **(plain.pop("options", None) or {})}
    options |= {key.removeprefix("options."): plain.pop(key) for key in list(plain) if key.startswith("options.")}
    backend = _choice("backend", against["backend"], BackendConfig) if "backend" in against else config.backend
    try:
        engine = replace(engine, options=options, **plain)
        model = replace(config.model, dtype=against["dtype"]) if "dtype" in against else config.model
    except pydantic.ValidationError as error:
        raise UsageError(f"op.against cannot be: {first_problem(error)}.") from error
    return replace(config, engine=engine, backend=backend, model=model)


def apart(config: Config) -> Config:
    """The same job with its engine in a process of its own: two sides share no memory, and no state of a library."""
    return replace(config, engine=replace(config.engine, isolate=True))


def commit_of(config: Config, ref: str) -> str:
    """The commit that a ref of the engine's repository names.

    Raises:
        UsageError: ``engine.path`` is no repository, or has no such commit.
    """
    if config.engine.path is None:
        raise UsageError(
            f"op.against={{ref: {ref}}} is a ref of the engine's repository, and engine.path= names none.",
            "Add engine.path=<checkout of the engine>.",
        )
    checkout = files.given_path(config.engine.path)
    done = _git(checkout, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if done.returncode:
        raise UsageError(
            f"op.against={{ref: {ref}}} is no commit, branch or tag of the repository in {checkout}.",
            "git fetch it there first, or name another.",
        )
    return done.stdout.strip()


@contextlib.contextmanager
def worktree(config: Config, ref: str) -> Iterator[Config]:
    """The job with the engine as it was at a ref, in a worktree that is there for the block alone.

    Only what git knows is in it: what was built in the checkout has to be installed in the engine's environment.

    Raises:
        UsageError: See :func:`commit_of`; or git makes no worktree.
    """
    commit, checkout = commit_of(config, ref), files.given_path(str(config.engine.path))
    with tempfile.TemporaryDirectory(prefix="fvhydra-worktree-") as scratch:
        folder = Path(scratch) / "engine"
        done = _git(checkout, "worktree", "add", "--detach", str(folder), commit)
        if done.returncode:
            raise UsageError(f"git makes no worktree of {checkout} at {ref}: {' '.join(done.stderr.split())[-300:]}.")
        top = _git(checkout, "rev-parse", "--show-prefix").stdout.strip()  # engine.path may be a folder inside
        try:
            yield replace(config, engine=replace(config.engine, path=str(folder / top)))
        finally:
            _git(checkout, "worktree", "remove", "--force", str(folder))
            _git(checkout, "worktree", "prune")


def differences(this: Config, against: Config, ref: str | None) -> list[tuple[str, str, str]]:
    """What is other: key, here, there."""
    keys: dict[str, Callable[[Config], object]] = {
        "engine": lambda job: job.engine.name,
        "engine.python": lambda job: job.engine.python,
        "engine.path": lambda job: job.engine.path,
        "engine.env": lambda job: job.engine.env or None,
        "engine.options": lambda job: job.engine.options or None,
        "backend": lambda job: job.backend.name,
        "dtype": lambda job: job.model.dtype,
    }
    found = [(key, str(of(this)), str(of(against))) for key, of in keys.items() if of(this) != of(against)]
    return [*found, *([("ref", "as it is", ref)] if ref else [])]


def _choice(group: str, name: Any, schema: type) -> Any:
    path = conf_dir() / group / f"{name}.yaml"
    known = sorted(found.stem for found in path.parent.glob("*.yaml"))
    if str(name) not in known:
        raise UsageError(f"op.against={{{group}: {name}}} must be one of: {', '.join(known)}.")
    node = OmegaConf.merge(OmegaConf.structured(schema), OmegaConf.create(untrusted.read_text(path)))
    return OmegaConf.to_object(node)


def _git(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(["git", "-C", str(checkout), *words], capture_output=True, text=True, check=False)
    except OSError as error:
        raise UsageError(f"git cannot be run: {error.strerror}.", "Install it: apt install git") from error
