# SPDX-License-Identifier: Apache-2.0
"""The other side of a comparison on one machine: the same job with another engine, environment, backend or dtype."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
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
from fvhydra.ops.checkout import Checkout

REF = "ref"
KEYS = (REF, "engine", "engine.python", "engine.path", "engine.env", "engine.options", "backend", "dtype")
"""What may be other; ``ref`` is a git ref of the checkout that ``engine.path`` names."""
INSIDE = ("engine.options", "sampling", "tier")
"""Groups of which any key may be other."""


def other_side(config: Config, given: Mapping[str, Any], option: str = "op.against") -> Config:
    """The job of the other side; ``ref`` is left to :func:`at_ref`.

    Args:
        config: The job of this side.
        given: What is other, by key.
        option: The option that says so, for messages.

    Raises:
        UsageError: A key is none of :data:`KEYS` nor inside one of :data:`INSIDE`, or its value is no choice.
    """
    for key in given:
        if key not in KEYS and not key.startswith(tuple(f"{group}." for group in INSIDE)):
            further = ", ".join(f"{group}.<key>" for group in INSIDE)
            raise UsageError(f"{option} has no {key}.{nearest(key, KEYS)} It takes: {', '.join(KEYS)}, {further}.")
    if REF in given and "engine.path" in given:
        raise UsageError(f"{option} names both ref and engine.path, two checkouts.", "Leave one of them away.")
    engine = _choice(option, "engine", given["engine"], EngineConfig) if "engine" in given else config.engine
    backend = _choice(option, "backend", given["backend"], BackendConfig) if "backend" in given else config.backend
    parts = {group: _inside(given, group) for group in ("engine", "sampling", "tier")}
    options = engine.options | (parts["engine"].pop("options", None) or {}) | _inside(given, "engine.options")
    plain = {key: value for key, value in parts["engine"].items() if "." not in key}
    for group in ("sampling", "tier"):
        known = [field.name for field in fields(getattr(config, group))]
        for key in parts[group].keys() - {*known}:
            raise UsageError(f"{option} has no {group}.{key}.{nearest(key, known)}")
    try:
        engine = replace(engine, options=options, **plain)
        model = replace(config.model, dtype=given["dtype"]) if "dtype" in given else config.model
        sampling, tier = replace(config.sampling, **parts["sampling"]), replace(config.tier, **parts["tier"])
    except pydantic.ValidationError as error:
        raise UsageError(f"{option} cannot be: {first_problem(error)}.") from error
    return replace(config, engine=engine, backend=backend, model=model, sampling=sampling, tier=tier)


def _inside(given: Mapping[str, Any], group: str) -> dict[str, Any]:
    """The keys of a group, without its name."""
    return {key[len(group) + 1 :]: value for key, value in given.items() if key.startswith(f"{group}.")}


def apart(config: Config) -> Config:
    """The same job with its engine in a process of its own: two sides share no memory, and no state of a library."""
    return replace(config, engine=replace(config.engine, isolate=True))


def commit_of(config: Config, ref: str, option: str = "op.against") -> str:
    """The commit that a ref of the engine's repository names.

    Raises:
        UsageError: ``engine.path`` is no repository, or has no such commit.
    """
    given = f"{option}={{ref: {ref}}}"
    if config.engine.path is None:
        raise UsageError(
            f"{given} is a ref of the engine's repository, and engine.path= names none.",
            "Add engine.path=<checkout of the engine>.",
        )
    return Checkout(files.given_path(config.engine.path)).commit(ref, given)


@contextlib.contextmanager
def at_ref(config: Config, given: Mapping[str, Any], option: str = "op.against") -> Iterator[Config]:
    """The job of a side, with the engine as it was at the ``ref`` that is given, if one is, until the block ends.

    What was built in the checkout is not there: it has to be installed in the engine's environment.

    Raises:
        UsageError: See :func:`commit_of`.
        InfrastructureError: git makes no working tree.
    """
    if REF not in given:
        yield config
        return
    commit = commit_of(config, str(given[REF]), option)
    checkout = Checkout(files.given_path(str(config.engine.path)))
    with (
        tempfile.TemporaryDirectory(prefix="fvhydra-worktree-") as scratch,
        checkout.working_tree(Path(scratch) / "engine", commit) as folder,
    ):
        yield replace(config, engine=replace(config.engine, path=str(folder)))


def settings(config: Config) -> dict[str, Any]:
    """What may be other, by key, as it is in a job."""
    return {key: of(config) for key, of in _TOLD.items()}


def differences(this: Config, other: Config, ref: Any = None) -> list[tuple[str, str, str]]:
    """What is other: key, here, there."""
    found = []
    for key, of in _TOLD.items():
        here, there = of(this), of(other)
        if isinstance(here, dict) or isinstance(there, dict):
            names = sorted({*(here or {}), *(there or {})})
            pairs = [(f"{key}.{name}", (here or {}).get(name), (there or {}).get(name)) for name in names]
        else:
            pairs = [(key, here, there)]
        found += [(name, str(left), str(right)) for name, left, right in pairs if left != right]
    return [*found, *([("ref", "as it is", str(ref))] if ref is not None else [])]


_TOLD: dict[str, Callable[[Config], Any]] = {
    "engine": lambda job: job.engine.name,
    "engine.python": lambda job: job.engine.python,
    "engine.path": lambda job: job.engine.path,
    "engine.env": lambda job: job.engine.env,
    "engine.options": lambda job: job.engine.options,
    "backend": lambda job: job.backend.name,
    "dtype": lambda job: job.model.dtype,
    "sampling": lambda job: dict(vars(job.sampling)),
    "tier": lambda job: dict(vars(job.tier)),
}


def _choice(option: str, group: str, name: Any, schema: type) -> Any:
    path = conf_dir() / group / f"{name}.yaml"
    known = sorted(found.stem for found in path.parent.glob("*.yaml"))
    if str(name) not in known:
        raise UsageError(f"{option}={{{group}: {name}}} must be one of: {', '.join(known)}.")
    node = OmegaConf.merge(OmegaConf.structured(schema), OmegaConf.create(untrusted.read_text(path)))
    return OmegaConf.to_object(node)
