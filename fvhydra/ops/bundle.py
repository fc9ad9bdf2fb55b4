# SPDX-License-Identifier: Apache-2.0
"""``op=bundle``: a run as one archive that opens anywhere; whether an archive is whole; a run out of an archive."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from fvhydra.config.op import BundleConfig
from fvhydra.core import archives, files
from fvhydra.core.errors import UsageError
from fvhydra.core.files import given_path
from fvhydra.core.result import RunResult
from fvhydra.core.run import RunFolder
from fvhydra.core.verdict import Verdict
from fvhydra.ops.base import Op
from fvhydra.ops.bundled import Bundled, collect
from fvhydra.ops.context import Context
from fvhydra.ops.unbundle import unpack, verify


class Bundle(Op):
    """Nothing of the run is changed: what has to be rewritten is rewritten on its way."""

    config: BundleConfig
    writes_run_folder = False
    uses_model = False

    def preflight(self, context: Context) -> None:
        """Refuse what is no run, one that still works, and a target that is taken."""
        given = [name for name in ("verify", "unpack") if getattr(self.config, name) is not None]
        if len(given) > 1:
            raise UsageError("op.verify= and op.unpack= are both given.", "Leave one of them away; unpacking verifies.")
        if given:
            source = self._archive()
            archives.require(archives.format_of(source))
            files.regular_file(source, "archive")
            return
        archives.require(self.config.format)
        folder = _run_of(context)
        if RunFolder.is_at(folder) and RunFolder(folder).state == "running":
            raise UsageError(f"run={folder} is still running.", "Wait for its end: op=watch from=<it>.")
        if (target := self._target(folder)).exists():
            raise UsageError(f"{target} is there already.", "Take it away, or name another: op.to=<file>.")

    def plan(self, context: Context) -> RunResult | None:
        """What would be in it."""
        if self.config.verify is None and self.config.unpack is None:
            return self._said(_summary(collect(_run_of(context)), self._target(_run_of(context))), [])
        return None

    def run(self, context: Context) -> RunResult:
        """Make an archive, or look at one."""
        if self.config.verify is not None or self.config.unpack is not None:
            return self._read(context)
        folder = _run_of(context)
        found = collect(folder)
        target = self._target(folder)
        context.progress.stage("bundle", msg=_summary(found, target))
        _refuse_full_disk(target, found.bytes)
        with files.atomic_path(target, suffix=f".{self.config.format}") as temporary:
            total = max(found.bytes, 1)
            archives.write(
                temporary, self.config.format, found.contents(), lambda done: context.progress.step(done, total)
            )
        size = target.stat().st_size
        said = f"{len(found.files)} file(s), {found.bytes / 1e6:.1f} MB, in {target}: {size / 1e6:.1f} MB."
        return self._said(said, [*_told(found), f"sha256 {files.sha256_file(target)}"])

    def _read(self, context: Context) -> RunResult:
        source = self._archive()
        context.progress.stage("verify", msg=f"{source}, {source.stat().st_size / 1e6:.1f} MB")
        most = int(self.config.most_gb * 1e9)
        if self.config.unpack is None:
            found = verify(source, most)
            return self._said(f"{source} is whole: {found.count} file(s), {found.bytes / 1e6:.1f} MB.", [])
        target, found = unpack(source, given_path(self.config.to or ".").absolute(), most)
        notes = [f"report: {page}"] if (page := target / "report" / "index.html").is_file() else []
        return self._said(f"{found.count} file(s), {found.bytes / 1e6:.1f} MB, in {target}.", notes)

    def _archive(self) -> Path:
        return given_path(self.config.verify or self.config.unpack or "")

    def _target(self, folder: Path) -> Path:
        if self.config.to is not None:
            target = given_path(self.config.to).absolute()
            return target if not target.is_dir() else target / f"{_name(folder)}.{self.config.format}"
        return Path.cwd() / f"{_name(folder)}.{self.config.format}"

    def _said(self, message: str, notes: list[str]) -> RunResult:
        return RunResult(op=self.config.name, verdict=Verdict.DONE, message=message, notes=notes)


def _run_of(context: Context) -> Path:
    given = context.config.run
    path = given_path(given) if given is not None else given_path(context.config.runtime.output_dir) / "latest"
    path = path.resolve()
    sweep = (path / "report" / "index.html").is_file() and any((path / name).is_dir() for name in ("0", "1"))
    if not RunFolder.is_at(path) and not sweep:
        raise UsageError(
            f"run={given or path} is neither a run folder nor that of a sweep.",
            "Give the folder that an earlier command printed, or outputs/latest.",
        )
    return path


def _name(folder: Path) -> str:
    if not RunFolder.is_at(folder):
        return f"{folder.parent.name}_{folder.name}"
    manifest = RunFolder(folder).manifest
    words = [word for word in (manifest["op"], manifest["model"], folder.name) if word]
    return "".join(char if char.isalnum() or char in "._-" else "_" for char in "_".join(words))


def _summary(found: Bundled, target: Path) -> str:
    outside = f", {len(found.outside)} of them from outside the folder" if found.outside else ""
    return f"{len(found.files)} file(s), {found.bytes / 1e6:.1f} MB{outside}, into {target}"


def _told(found: Bundled) -> Iterator[str]:
    for path, inside in found.outside.items():
        yield f"taken along: {path} as {inside}"
    for item in found.missing:
        yield f"named and not taken along: {item}"


def _refuse_full_disk(target: Path, needed: int) -> None:
    existing = next(parent for parent in target.parents if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise UsageError(
            f"{existing} has {free / 1e9:.1f} GB free, and the archive may take {needed / 1e9:.1f} GB.",
            "Name another disk: op.to=<file>.",
        )
