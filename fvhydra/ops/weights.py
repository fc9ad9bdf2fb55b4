# SPDX-License-Identifier: Apache-2.0
"""Which weights models and metrics load: repositories, commits, the files that are read, and what is here of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from fvhydra.core.errors import InfrastructureError, UsageError, nearest
from fvhydra.core.token import TOKEN_VARIABLES, find_token
from fvhydra.core.untrusted import read_json, read_lines, read_yaml
from fvhydra.metrics.download import wanted_patterns
from fvhydra.metrics.spec import Asset

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_OTHER_WEIGHTS = (".bin", ".pt", ".pth", ".ckpt", ".msgpack", ".h5", ".onnx", ".onnx_data", ".tflite")
"""What the same weights are kept as beside ``.safetensors``, and the loaders then leave alone."""

_VARIANTS = ("*.fp16.*", "*.bf16.*", "*.fp32.*", "*.non_ema.*", "*.ema.*", "openvino*")
_INDEX = "model_index.json"

PART_BYTES = 16 * 2**20
"""Of a large file, fetched by one request each; what a killed process may lose of each connection."""


@dataclass(frozen=True)
class Source:
    """A repository of weights, and who wants it.

    Attributes:
        label: ``model=ltx2``, ``vbench.subject_consistency``.
        asset: Of a metric, what it describes; None for a pipeline, whose ``model_index.json`` says what it reads.
    """

    label: str
    repo: str
    revision: str | None
    asset: Asset | None = None


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository: its path, size in bytes, and ``sha256:...`` or ``git:...`` of its content."""

    path: str
    size: int
    digest: str

    @property
    def blob(self) -> str:
        """Its name among the blobs of a Hugging Face cache."""
        return self.digest.partition(":")[2]


@dataclass
class Listed:
    """What was found of a source.

    Attributes:
        commit: The revision that will be read; empty where it is not known.
        present: Bytes that are in the cache, of files that were begun too.
        problem: Why it cannot be fetched, one sentence; empty when it can.
    """

    source: Source
    commit: str = ""
    files: list[RemoteFile] = field(default_factory=list)
    missing: list[RemoteFile] = field(default_factory=list)
    present: int = 0
    problem: str = ""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def model_sources(words: Sequence[str], folders: Iterable[Path]) -> list[Source]:
    """The repositories of models.

    Args:
        words: Names of models, of families or their beginnings (``wan``), or ``all``.
        folders: Folders like ``conf/``, our own first.

    Raises:
        UsageError: A word is none of these.
    """
    known: dict[str, Any] = {}
    for path in (path for folder in folders for path in sorted((folder / "model").glob("*.yaml"))):
        settings = read_yaml(path)
        if path.stem not in known and isinstance(settings, dict) and isinstance(settings.get("weights"), str):
            known[path.stem] = settings
    chosen: dict[str, None] = {}
    for word in words:
        family = [name for name in known if name.startswith(word) or str(known[name].get("family")).startswith(word)]
        found = list(known) if word == "all" else [word] if word in known else family
        if not found or not word:
            raise UsageError(
                f"model={word}: no model or family of that name has weights.{nearest(word, known)}",
                f"Allowed: all, the beginning of a name, or {', '.join(known)}.",
            )
        chosen |= dict.fromkeys(found)
    return [Source(f"model={name}", known[name]["weights"], known[name].get("revision")) for name in chosen]


def hub_api() -> HfApi:
    """The Hub, asked with this machine's token."""
    from huggingface_hub import HfApi

    token = find_token()
    return HfApi(token=token.value if token else False, library_name="fvhydra")


def list_source(api: HfApi, source: Source, cache_dir: Path, whole: bool = False) -> Listed:
    """Ask the Hub for the files of a source, and look which of them are here.

    Args:
        api: Whom to ask.
        source: A repository of the Hub.
        cache_dir: The Hugging Face cache.
        whole: Every file of the repository, also those that no loader reads.

    Returns:
        What was found; a repository that is gated, gone or private has a ``problem``.

    Raises:
        InfrastructureError: The Hub cannot be reached.
    """
    from huggingface_hub import errors
    from huggingface_hub.hf_api import RepoFile

    found = Listed(source)
    try:
        info = api.model_info(source.repo, revision=source.revision)
        found.commit = info.sha or ""
        tree = list(api.list_repo_tree(source.repo, recursive=True, revision=found.commit, repo_type="model"))
        listed = [_described(entry) for entry in tree if isinstance(entry, RepoFile)]
        api.auth_check(source.repo)
        found.files = listed if whole else _read_of(api, source, found.commit, listed)
    except errors.GatedRepoError:
        found.problem = _gated(source)
        return found
    except errors.RevisionNotFoundError:
        found.problem = f"{source.repo} has no revision {source.revision}."
        return found
    except errors.RepositoryNotFoundError:
        found.problem = f"{source.repo} does not exist, or this token may not see it ({_token()})."
        return found
    except (ConnectionError, TimeoutError, OSError, errors.HfHubHTTPError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise InfrastructureError(f"The Hub cannot be asked for {source.repo}: {first}.") from error
    for file in found.files:
        here = _here(source, found.commit, file, cache_dir)
        found.present += here
        if here < file.size or not _whole(source, found.commit, file, cache_dir):
            found.missing.append(file)
    return found


def _described(entry: Any) -> RemoteFile:
    digest = f"sha256:{entry.lfs.sha256}" if entry.lfs else f"git:{entry.blob_id}"
    return RemoteFile(entry.path, entry.size, digest)


def _read_of(api: HfApi, source: Source, commit: str, listed: Sequence[RemoteFile]) -> list[RemoteFile]:
    """Those files that the loader reads."""
    names = [file.path for file in listed]
    if source.asset is not None:
        patterns = wanted_patterns(source.asset, names)
        return [file for file in listed if any(fnmatch(file.path, pattern) for pattern in patterns)]
    if _INDEX not in names:
        raise UsageError(f"{source.repo} has no {_INDEX}, so it is no pipeline of diffusers.", "op.whole=true")
    with TemporaryDirectory() as scratch:  # whoever only looks leaves nothing in the cache
        path = Path(api.hf_hub_download(source.repo, _INDEX, revision=commit, cache_dir=scratch))
        return pipeline_files(listed, read_json(path))


def pipeline_files(listed: Sequence[RemoteFile], index: Mapping[str, Any]) -> list[RemoteFile]:
    """Those files of a repository that ``DiffusionPipeline.from_pretrained`` reads.

    Args:
        listed: All files.
        index: What ``model_index.json`` says: component to library and class.

    Raises:
        UsageError: It says nothing of the kind.
    """
    if not isinstance(index, dict):
        raise UsageError(f"{_INDEX} is no object of components.")
    components = {key for key, value in index.items() if isinstance(value, list) and any(value)}
    safe = {str(PurePosixPath(file.path).parent) for file in listed if file.path.endswith(".safetensors")}
    chosen = []
    for file in listed:
        path = PurePosixPath(file.path)
        inside = path.parts[0] in components and len(path.parts) > 1
        other = path.suffix in _OTHER_WEIGHTS and str(path.parent) in safe
        variant = any(fnmatch(path.name, pattern) for pattern in _VARIANTS)
        if file.path == _INDEX or (inside and not other and not variant):
            chosen.append(file)
    return chosen


def folder_of(repo: str, cache_dir: Path) -> Path:
    """Where a Hugging Face cache keeps a repository of a model."""
    return cache_dir / f"models--{repo.replace('/', '--')}"


def journal_of(repo: str, file: RemoteFile, cache_dir: Path) -> Path:
    """Where it is noted which parts of a large file have arrived; the parts are beside it, ``.incomplete``."""
    return folder_of(repo, cache_dir) / "blobs" / f"{file.blob}.parts"


def arrived_parts(journal: Path, incomplete: Path, size: int) -> dict[int, int]:
    """Bytes of each part of a file that have arrived, from its beginning, as its journal says."""
    found: dict[int, int] = {}
    if not journal.is_file() or not incomplete.is_file():
        return found
    written = incomplete.stat().st_size
    for _, line in read_lines(journal):
        part, _, arrived = line.decode(errors="replace").strip().partition(" ")
        if part.isdecimal() and arrived.isdecimal():  # the last line may be cut off
            begin, most = int(part) * PART_BYTES, min(PART_BYTES, size - int(part) * PART_BYTES)
            found[int(part)] = max(min(int(arrived), most, written - begin), 0)
    return found


def _whole(source: Source, commit: str, file: RemoteFile, cache_dir: Path) -> bool:
    path = folder_of(source.repo, cache_dir) / "snapshots" / commit / file.path
    return path.is_file() and path.stat().st_size == file.size


def _here(source: Source, commit: str, file: RemoteFile, cache_dir: Path) -> int:
    if _whole(source, commit, file, cache_dir):
        return file.size
    journal = journal_of(source.repo, file, cache_dir)
    return sum(arrived_parts(journal, journal.with_suffix(".incomplete"), file.size).values())


def _gated(source: Source) -> str:
    page = f"https://huggingface.co/{source.repo}"
    return f"{source.repo} is gated: accept its licence at {page}; {_token()}."


def _token() -> str:
    token = find_token()
    if token is None:
        return f"no token is set: {' or '.join(reversed(TOKEN_VARIABLES))}"
    return f"the token is that of {token.source}"
