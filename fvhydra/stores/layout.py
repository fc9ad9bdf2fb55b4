# SPDX-License-Identifier: Apache-2.0
"""Where in a store a reference lives, and how an existing one is found.

``reference_videos/<tier>/<DEVICE>_reference_videos/<model_id>/<BACKEND>/<stem>.<ext>``, as other tools of the
ecosystem read and write it. They find a reference by "the file's name contains the prompt's first 100 characters,
stripped", so the stem is exactly that wherever it can be. Where it cannot (it is no safe file name, another prompt has
it, the seed is not the model's own), the stem ends in ``__`` and 8 hex digits that tell the case apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from fvhydra.core import files
from fvhydra.core.case import Case
from fvhydra.core.errors import UsageError
from fvhydra.stores.base import PART_BYTES, UNSAFE, checked_path

STEM_CHARACTERS = 100

_PLACE = re.compile(r"((reference_videos|drafts)/[^/]+/)?[^/]+_reference_videos/[^/]+/[^/]+/[^/]+", re.DOTALL)
_RECORD = re.compile(r"(?!(?:journal|reference_videos|drafts)/)[\w-][\w.-]*/[\w-][\w.-]*\.json", re.ASCII)
_HASHED = re.compile(r"__[0-9a-f]{8}$")
_STEM_BYTES = PART_BYTES - len("steps99999_" + "__01234567" + "_latent.json")
"""What every name derived from a stem leaves for the prompt: the longest is the one of a latent's numbers."""

_EXTENSIONS = {"pixel": (".mp4", ".avi", ".mov", ".mkv", ".webm", ".flv"), "latent": (".pt",)}

SidecarPrompt = Callable[[str], str | None]
"""Store path of a reference to the prompt that its sidecar records; None when it has no sidecar."""


def prompt_stem(prompt: str) -> str:
    """What other tools look for in the name of a prompt's reference. Not always a safe file name.

    Example:
        >>> prompt_stem("A cat. " + "It sits. " * 20) == ("A cat. " + "It sits. " * 20)[:100].strip()
        True
    """
    return prompt[:STEM_CHARACTERS].strip()


def reference_folder(case: Case, drafts: bool = False) -> str:
    """Folder of the case's references, or of drafts of them.

    Raises:
        UsageError: A name that the folder is made of is not a single safe file name.
    """
    return _folder("drafts" if drafts else "reference_videos", case.tier.name, *_legacy_parts(case))


def search_folders(case: Case) -> list[str]:
    """Folders in which a reference of the case may be, the best first."""
    own = reference_folder(case)
    # data sets that are older than the tiers have the default one at their root; read, never written
    return [own, _folder(*_legacy_parts(case))] if case.tier.name == "default" else [own]


def reference_path(case: Case) -> str:
    """Store path of the case's reference. Two cases with other prompts or seeds never share one."""
    plain = case.default_seed and not case.shares_stem and _is_safe(prompt_stem(case.prompt))
    return _path(case, prompt_stem(case.prompt) if plain else _hashed_stem(case, case.default_seed))


def sidecar_path(reference: str) -> str:
    """Store path of the JSON that says how a reference was made."""
    return reference + ".json"


def draft_path(reference: str) -> str:
    """Where the draft of a reference (or of its sidecar) is kept."""
    return reference.replace("reference_videos/", "drafts/", 1)


def promoted_path(draft: str) -> str:
    """The inverse of :func:`draft_path`."""
    return draft.replace("drafts/", "reference_videos/", 1)


def is_reference(path: str) -> bool:
    """Whether a store path is where references, drafts of them and their sidecars are, of any tier, GPU and model."""
    return _PLACE.fullmatch(path) is not None


def is_record(path: str) -> bool:
    """Whether a store path is where performance records are: ``<model id>/<timestamp>_<commit>.json``, sanitised."""
    return _RECORD.fullmatch(path) is not None


def find_reference(paths: Iterable[str], case: Case, sidecar_prompt: SidecarPrompt) -> str | None:
    """Find the reference of a case among the files of a store; None when there is none.

    First by the names that we give: the case's own, then that of its prompt with the model's own seed (its recipe then
    tells that the seed differs, which says more than "no reference"). Then as other tools do, by a name that contains
    the prompt's first characters; the exact stem, the wanted extension and the shortest name win. A file that belongs
    to another prompt, by its sidecar or by its hash, is never the answer.

    Args:
        paths: Store paths, at least those below :func:`search_folders`.
        case: What is looked for.
        sidecar_prompt: See :data:`SidecarPrompt`; only called with members of ``paths``.
    """
    present = set(paths)
    names = [reference_path(case)] + [_path(case, _hashed_stem(case, seed)) for seed in (case.default_seed, True)]
    for path in names:
        if path in present and sidecar_prompt(path) in (None, case.prompt):
            return path
    for path in _containing(present, case):
        known = sidecar_prompt(path)
        # without a sidecar, a name that two prompts share belongs to the earlier one
        if known == case.prompt or (known is None and not case.shares_stem):
            return path
    return None


def free_path(paths: Iterable[str], case: Case, sidecar_prompt: SidecarPrompt) -> str:
    """Where a first reference of the case belongs. It is among ``paths`` exactly when the case has its own already.

    That is :func:`reference_path`, unless another prompt that begins alike was there first.
    """
    present = set(paths)
    own, hashed = reference_path(case), _path(case, _hashed_stem(case, case.default_seed))
    taken = own in present and sidecar_prompt(own) not in (None, case.prompt)
    return hashed if taken or hashed in present else own


def _containing(present: set[str], case: Case) -> list[str]:
    """References by the rule of other tools, the best first."""
    stem = prompt_stem(case.prompt)
    if not stem:
        return []
    extensions = _EXTENSIONS[case.model.artifact]
    ranked = []
    for rank, folder in enumerate(search_folders(case)):
        for path in present:
            parent, _, name = path.rpartition("/")
            found_stem, dot, extension = name.rpartition(".")
            if parent != folder or dot + extension not in extensions or stem not in name or _HASHED.search(found_stem):
                continue
            key = (rank, found_stem != stem, dot + extension != case.model.extension, len(name), path)
            ranked.append((key, path))
    return [path for _, path in sorted(ranked)]


def _is_safe(stem: str) -> bool:
    return (
        stem != ""
        and not stem.startswith(".")
        and not UNSAFE.search(stem)
        and len(stem.encode()) <= _STEM_BYTES
        # or a prompt could be written such that its name is the hashed one of another
        and not _HASHED.search(stem)
    )


def _hashed_stem(case: Case, default_seed: bool) -> str:
    identity = [case.prompt] if default_seed else [case.prompt, case.seed]
    digest = files.sha256_bytes(files.canonical_json(identity).encode())
    safe = UNSAFE.sub("_", prompt_stem(case.prompt)).encode()[:_STEM_BYTES]
    # the cut may have gone through a character, and a name that begins with a dot is hidden
    readable = safe.decode(errors="ignore").lstrip(". ").rstrip()
    return f"{readable or 'prompt'}__{digest[:8]}"


def _path(case: Case, stem: str) -> str:
    return checked_path(f"{reference_folder(case)}/{stem}{case.model.extension}")


def _legacy_parts(case: Case) -> tuple[str, str, str]:
    return f"{case.gpu.folder}_reference_videos", case.model.model_id, case.backend.folder


def _folder(*parts: str) -> str:
    for part in parts:
        if "/" in part:
            raise UsageError(f"{part!r} cannot be a folder of references: it has a slash.")
    return checked_path("/".join(parts))
