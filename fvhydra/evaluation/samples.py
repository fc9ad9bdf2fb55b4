"""What is scored: samples out of files, run folders and manifests."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fvhydra.config.root import Config
from fvhydra.core.errors import UsageError
from fvhydra.core.files import read_json
from fvhydra.core.run import RunFolder
from fvhydra.evaluation.manifest import read_manifest, tags_of
from fvhydra.metrics.sample import Sample

SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".wav", ".flac", ".mp3")
"""Files that a folder is searched for, the last three for metrics of sound."""

_SOUND = SUFFIXES[-3:]


@dataclass(frozen=True)
class Samples:
    """What was found.

    Attributes:
        samples: Sorted by id.
        alone: Ids of videos that no reference belongs to; empty where nothing is compared.
        unused: References that no video belongs to. They are samples too, of the reference set.
    """

    samples: list[Sample]
    alone: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)


def read_samples(config: Config, path_keys: Iterable[str]) -> Samples:
    """The samples that ``videos=`` (with ``references=``), ``run=`` or ``manifest=`` name.

    Args:
        config: Of the evaluation.
        path_keys: Keys whose values are files, as the chosen metrics declare.

    Raises:
        UsageError: None or several of the three, nothing there, or lines of a manifest that are no samples.
    """
    given = {name: getattr(config, name) for name in ("videos", "run", "manifest") if getattr(config, name) is not None}
    if len(given) != 1:
        said = f"{' and '.join(f'{name}=' for name in given)} are given" if given else "nothing to score is given"
        raise UsageError(
            f"op=eval: {said}; one of videos=, run= and manifest= says what is scored.",
            "For example op=eval videos=outputs/latest metrics=pixel.",
        )
    if config.references is not None and config.videos is None:
        raise UsageError("references= goes with videos= only; a manifest names each sample's reference itself.")
    if config.manifest is not None:
        return Samples(read_manifest(Path(config.manifest).expanduser(), path_keys))
    if config.run is not None:
        return Samples(_of_run(RunFolder.open(Path(config.run).expanduser())))
    assert config.videos is not None
    folder = Path(config.videos).expanduser()
    if config.references is None:
        is_run = (folder / "manifest.json").is_file()
        return Samples(_of_run(RunFolder.open(folder)) if is_run else _unpaired(_found("videos", config.videos)))
    return _paired(config.videos, config.references)


def _paired(videos: str, references: str) -> Samples:
    """Pairs by relative path; two single files are a pair whatever their names."""
    generated, approved = _found("videos", videos), _found("references", references)
    if Path(videos).expanduser().is_file() and Path(references).expanduser().is_file():
        partners = dict(zip(generated, approved, strict=True))
    else:
        partners = pairs(generated, approved)
    samples = _unpaired(generated, {name: approved[other] for name, other in partners.items()})
    unused = sorted(set(approved) - set(partners.values()))
    samples += [Sample(f"reference/{name}", {_key(approved[name]): approved[name]}, "reference") for name in unused]
    return Samples(samples, sorted(set(generated) - set(partners)), unused)


def pairs(names: Iterable[str], others: Iterable[str]) -> dict[str, str]:
    """Which of ``others`` belongs to each name: the same relative path, or the same but for the extension.

    The extension is passed over only where that leaves no choice: one name and one of the others.

    Example:
        >>> pairs(["a/cat.mp4", "dog.mp4"], ["a/cat.mp4", "dog.webm", "cow.mp4"])
        {'a/cat.mp4': 'a/cat.mp4', 'dog.mp4': 'dog.webm'}
    """
    exact, left = set(names) & set(others), set(names) ^ set(others)
    counts = {side: Counter(_stem(name) for name in side) for side in (tuple(names), tuple(others))}
    unambiguous = {stem for stem in map(_stem, left) if all(count[stem] == 1 for count in counts.values())}
    by_stem = {_stem(name): name for name in others if _stem(name) in unambiguous}
    found = {name: name for name in exact}
    found |= {name: by_stem[_stem(name)] for name in names if name not in exact and _stem(name) in by_stem}
    return dict(sorted(found.items()))


def _stem(name: str) -> str:
    return Path(name).with_suffix("").as_posix()


def _key(path: Path) -> str:
    return "audio" if path.suffix.lower() in _SOUND else "video"


def _unpaired(found: Mapping[str, Path], references: Mapping[str, Path] | None = None) -> list[Sample]:
    samples = []
    for name, path in sorted(found.items()):
        keys: dict[str, Any] = {_key(path): path}
        if references and name in references:
            keys["reference_audio" if _key(references[name]) == "audio" else "reference"] = references[name]
        samples.append(Sample(name, keys))
    return samples


def _found(key: str, given: str) -> dict[str, Path]:
    """Files by their path relative to the folder, or to what comes before the first wildcard of a pattern."""
    path = Path(given).expanduser()
    if (path / "manifest.json").is_file():
        samples = _of_run(RunFolder.open(path))
        return {sample.id: next(iter(sample.keys.values())) for sample in samples}
    if path.is_file():
        return {path.name: path.absolute()}
    if path.is_dir():
        base = path
        files = [file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES]
    else:
        base = _before_wildcard(path)
        files = list(base.glob(str(path.relative_to(base)))) if glob.has_magic(given) else []
    found = {file.relative_to(base).as_posix(): file.absolute() for file in files if file.is_file()}
    if not found:
        what = "has no videos" if path.is_dir() else "does not exist, and no file matches it as a pattern"
        raise UsageError(
            f"{key}={given} {what}.", f"Give a folder, a run folder, a file or a pattern such as {key}='gen/*.mp4'."
        )
    return found


def _before_wildcard(pattern: Path) -> Path:
    """The innermost folder of a pattern that is no pattern itself."""
    return next(parent for parent in pattern.parents if not glob.has_magic(str(parent)))


def _of_run(run: RunFolder) -> list[Sample]:
    """The clips of an earlier run, each with its prompt and, where it was compared, its reference."""
    manifest = run.manifest
    cases = {case["index"]: case for case in manifest["cases"]}
    compared = _references(run)
    samples = []
    for artifact in manifest["artifacts"]:
        path = run.inside(artifact["path"])
        if path.suffix.lower() not in SUFFIXES:
            continue
        case = cases.get(artifact["case"], {})
        keys: dict[str, Any] = dict(case.get("sample", {}))
        keys |= {"text_prompt": case.get("prompt", ""), _key(path): path}
        if reference := compared.get(artifact["path"]):
            keys["reference"] = run.inside(reference)
        name = Path(artifact["path"]).relative_to("artifacts").as_posix()
        samples.append(Sample(name, keys, tags=tags_of(keys)))
    if not samples:
        raise UsageError(
            f"{run.path} has no clips to score: none of its {len(manifest['artifacts'])} artifact(s) is one.",
            "Generate some with op=generate, or give a folder with videos=.",
        )
    return sorted(samples, key=lambda sample: sample.id)


def _references(run: RunFolder) -> dict[str, str]:
    """Artifact to the reference that it was compared with, as ``result.json`` has them."""
    if not (run.path / "result.json").is_file():
        return {}
    found = {}
    for case in read_json(run.path / "result.json").get("cases", []):
        if case.get("artifact") and case.get("reference"):
            found[case["artifact"]] = case["reference"]
    return found
