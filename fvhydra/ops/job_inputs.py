# SPDX-License-Identifier: Apache-2.0
"""A job for a worker that sees no file of this machine: what of them goes with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from fvhydra.config.prompts import PromptsConfig
from fvhydra.config.root import Config
from fvhydra.ops.cases import cases, image_of
from fvhydra.ops.prompts import prompts
from fvhydra.stores.base import Store
from fvhydra.stores.layout import reference_folder, search_folders


@dataclass(frozen=True)
class JobInputs:
    """A job for a worker that sees no file of this machine.

    Attributes:
        config: The same job, with what could be read here in it.
        files: What it still reads, absolute paths; the content, or None for that of the file here.
    """

    config: Config
    files: Mapping[Path, bytes | None] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Size of all files together, bytes."""
        return sum(path.stat().st_size if data is None else len(data) for path, data in self.files.items())


def inputs_of_cases(config: Config, store: Store) -> JobInputs:
    """The cases of a job: prompts in the configuration, their pictures, and their references in a store that is local.

    Raises:
        UsageError: See :func:`fvhydra.ops.cases.cases`.
    """
    found = prompts(config)
    pictures = [image_of(config, prompt) for prompt in found]
    index = config.prompt_index
    if index is not None and index < len(found):  # the others only count; their pictures would travel for nothing
        pictures = [pictures[index]] * len(found)
    entries = [
        replace(prompt, image=None if picture is None else str(picture.absolute()))
        for prompt, picture in zip(found, pictures, strict=True)
    ]
    packed = replace(
        config,
        prompt=None,
        prompt_file=None,
        image=None,
        prompts=PromptsConfig(name=config.prompts.name, entries=entries),
        store=store.config_elsewhere(),
    )
    wanted = cases(packed, entries)
    prefixes = {prefix for case in wanted for prefix in search_folders(case)}
    drafts = {reference_folder(case, drafts=True) for case in wanted}
    read = {Path(entry.image) for entry in entries if entry.image is not None}
    return JobInputs(packed, dict.fromkeys(sorted({*read, *store.local_files(prefixes | drafts)})))
