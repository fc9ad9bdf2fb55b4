# SPDX-License-Identifier: Apache-2.0
"""Finding the references of cases in a store, and the sidecars that say what they are."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from fvhydra.core import files, untrusted
from fvhydra.core.case import Case
from fvhydra.core.differences import differences, of_environments
from fvhydra.core.environment import now
from fvhydra.core.errors import Corrupt, StoreError, UsageError
from fvhydra.core.result import Difference
from fvhydra.ops.generation import Generated
from fvhydra.stores import layout
from fvhydra.stores.base import Entry, LogEntry, Store

SIDECAR_VERSION = 1

_SIDECAR_TYPES = {"prompt": str, "seed": int, "fingerprint": str, "recipe": dict, "environment": dict}


class References:
    """The references of one model as they are in one revision of a store."""

    def __init__(self, store: Store, case: Case, folder: Path, drafts: bool = False) -> None:
        """Look once; ``folder`` receives what is fetched, under its store paths."""
        self.store = store
        self.folder = folder
        self.revision = store.head()
        self.folders = [layout.reference_folder(case, drafts=True)] if drafts else layout.search_folders(case)
        self.entries: dict[str, Entry] = {}
        """Every file there is, by path."""
        for prefix in self.folders:
            self.entries |= store.files(prefix, self.revision)
        self._sidecars: dict[str, dict[str, Any] | None] = {}
        self._log: list[LogEntry] | None = None

    @property
    def files(self) -> list[str]:
        """Every file there is, sorted."""
        return sorted(self.entries)

    @cached_property
    def digests(self) -> dict[str, str]:
        """Every file there is, with its digest."""
        return {path: entry.digest for path, entry in self.entries.items()}

    def find(self, case: Case) -> str | None:
        """Store path of the case's reference, or None."""
        return layout.find_reference(self.files, case, self._prompt_of)

    def free_path(self, case: Case) -> str:
        """Where a first reference of the case belongs; it is taken exactly when that reference exists."""
        return layout.free_path(self.files, case, self._prompt_of)

    def sidecar(self, path: str) -> dict[str, Any] | None:
        """What a reference says about itself; None when it says nothing (today's data sets).

        Raises:
            Corrupt: What it says is no sidecar.
        """
        if path not in self._sidecars:
            name = layout.sidecar_path(path)
            self._sidecars[path] = self._read_sidecar(name) if name in self.entries else None
        return self._sidecars[path]

    def _read_sidecar(self, name: str) -> dict[str, Any]:
        try:
            return read_sidecar(self.fetch(name))
        except UsageError as error:
            raise Corrupt(
                f"{name} in {self.store.location} is not a sidecar: it must be a JSON object with a recipe.",
                "Replace the reference with op=reseed_ssim, or restore an earlier one with op=restore.",
            ) from error

    def fetch(self, path: str) -> Path:
        """A verified local copy."""
        return self.store.fetch([path], self.folder, self.revision)[path]

    def digest_of(self, path: str) -> str:
        """What a conclusion from a reference rests on: the digests of it and of its sidecar."""
        digests = self.digests
        return f"{digests.get(path)} {digests.get(layout.sidecar_path(path))}"

    def history(self, path: str) -> list[dict[str, str]]:
        """The commits that touched a reference, newest first; the store is asked once for all.

        Empty when the store cannot tell: nobody's check should fail for want of a story.
        """
        if self._log is None:
            try:
                self._log = self.store.log()
            except StoreError:
                self._log = []
        return [
            {
                "revision": entry.revision,
                "time": entry.time,
                "who": str(entry.provenance.get("who", "unknown")),
                "kind": str(entry.provenance.get("kind", "by hand")),
                "reason": str(entry.provenance.get("reason", entry.message)),
            }
            for entry in self._log
            if path in entry.paths
        ]

    def _prompt_of(self, path: str) -> str | None:
        try:
            sidecar = self.sidecar(path)
        except Corrupt:  # costs the case that needs it, and must not block the others
            return None
        return None if sidecar is None else sidecar.get("prompt")


def read_sidecar(path: Path) -> dict[str, Any]:
    """Read what :func:`write_sidecar` wrote, or another tool. Every key may be missing; those that are there are typed.

    Raises:
        UsageError: It is not JSON, or a key has a value of another type.
    """
    found = untrusted.read_json(path)
    if not isinstance(found, dict):
        raise UsageError(f"{path} is not a JSON object.")
    found = {key: value for key, value in found.items() if value is not None}
    for key, kind in _SIDECAR_TYPES.items():
        if type(found.get(key, kind())) is not kind:
            raise UsageError(f"{path}: {key} is not of type {kind.__name__}.")
    return found


def write_sidecar(generated: Generated) -> Path:
    """Write the sidecar of an artifact beside it: recipe, environment, hash."""
    path = generated.artifact.with_name(layout.sidecar_path(generated.artifact.name))
    case = generated.case
    files.write_json(
        path,
        {
            "schema_version": SIDECAR_VERSION,
            "prompt": case.prompt,
            "seed": case.seed,
            "fingerprint": case.fingerprint,
            "recipe": case.recipe,
            "environment": generated.environment,
            "sha256": files.sha256_file(generated.artifact),
            "created": now(),
        },
    )
    generated.files.append(path)
    return path


def recipe_difference(sidecar: dict[str, Any] | None, case: Case) -> list[Difference]:
    """Keys whose values differ; empty when the recipes are equal or the reference does not say."""
    if sidecar is None or sidecar.get("fingerprint") == case.fingerprint:
        return []
    reference, run = _leaves(sidecar.get("recipe", {})), _leaves(files.plain(case.recipe))
    return differences(reference, run)


def environment_difference(sidecar: dict[str, Any] | None, environment: dict[str, str]) -> list[Difference]:
    """Facts that differ between where the reference was made and here, the telling ones first."""
    return [] if sidecar is None else of_environments(sidecar.get("environment", {}), environment)


def _leaves(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            found |= _leaves(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
