"""What is scored: samples out of files, run folders and manifests."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fvhydra.core.errors import UsageError
from fvhydra.core.files import read_json
from fvhydra.core.run import RunFolder
from fvhydra.evaluation.manifest import PATHS, read_manifest, tags_of
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


def read_samples(
    path_keys: Iterable[str],
    *,
    videos: str | None = None,
    references: str | None = None,
    run: str | None = None,
    manifest: str | None = None,
) -> Samples:
    """The samples that ``videos=`` (with ``references=``), ``run=`` or ``manifest=`` name.

    Args:
        path_keys: Keys of a manifest whose values are files, as the chosen metrics declare.
        videos: A folder, a run folder, a file or a pattern.
        references: The same; paired with the videos by relative path.
        run: A run folder.
        manifest: A file of JSON lines.

    Raises:
        UsageError: None or several of the three, nothing there, or lines of a manifest that are no samples.
    """
    sources = {"videos=": videos, "run=": run, "manifest=": manifest}
    given = [name for name, value in sources.items() if value is not None]
    if len(given) != 1:
        raise UsageError(
            f"op=eval: {' and '.join(given)} are given" if given else "op=eval: nothing to score is given",
            "One of videos=, run= and manifest= says what is scored: op=eval videos=outputs/latest metrics=pixel",
        )
    if references is not None and videos is None:
        raise UsageError("references= goes with videos= only; a manifest names each sample's reference itself.")
    if manifest is not None:
        return Samples(read_manifest(Path(manifest).expanduser(), path_keys))
    if videos is not None and references is not None:
        return _paired(videos, references)
    folder = Path(run or videos or "").expanduser()
    if run is not None or RunFolder.is_at(folder):
        return Samples(_of_run(RunFolder.open(folder), {*PATHS, *path_keys}))
    return Samples(_unpaired(_found("videos", str(videos))))


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


def pairs(names: Collection[str], others: Collection[str]) -> dict[str, str]:
    """Which of ``others`` belongs to each name: the same relative path, or the same but for the extension.

    The extension is passed over only where that leaves no choice: one name and one of the others.

    Example:
        >>> pairs(["a/cat.mp4", "dog.mp4"], ["a/cat.mp4", "dog.webm", "cow.mp4"])
        {'a/cat.mp4': 'a/cat.mp4', 'dog.mp4': 'dog.webm'}
    """
    known = set(others)
    here, there = Counter(map(_stem, names)), Counter(map(_stem, others))
    by_stem = {_stem(other): other for other in others if here[_stem(other)] == there[_stem(other)] == 1}
    partners = {name: name if name in known else by_stem.get(_stem(name)) for name in sorted(names)}
    return {name: other for name, other in partners.items() if other is not None}


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
    if RunFolder.is_at(path):
        samples = _of_run(RunFolder.open(path))
        return {sample.id: sample.keys.get("video") or sample.keys["audio"] for sample in samples}
    if path.is_file():
        return {path.name: path.absolute()}
    if path.is_dir():
        base = path
        files = [file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES]
    else:
        base = _before_wildcard(path)
        files = list(base.glob(str(path.relative_to(base)))) if glob.has_magic(given) else []
    # a link that leads nowhere is a clip that was lost, and is told of as such
    kept = (file for file in files if file.is_file() or (file.is_symlink() and not file.exists()))
    found = {file.relative_to(base).as_posix(): file.absolute() for file in kept}
    if not found:
        what = "has no videos" if path.is_dir() else "does not exist, and no file matches it as a pattern"
        raise UsageError(
            f"{key}={given} {what}.", f"Give a folder, a run folder, a file or a pattern such as {key}='gen/*.mp4'."
        )
    return found


def _before_wildcard(pattern: Path) -> Path:
    """The innermost folder of a pattern that is no pattern itself."""
    return next(parent for parent in pattern.parents if not glob.has_magic(str(parent)))


def _of_run(run: RunFolder, path_keys: Collection[str] = PATHS) -> list[Sample]:
    """The clips of an earlier run, each with its prompt, what its suite said of it, and what it was compared with."""
    manifest = run.manifest
    cases = {case["index"]: case for case in manifest["cases"]}
    compared = _references(run)
    samples = []
    for artifact in manifest["artifacts"]:
        path = run.inside(artifact["path"])
        if path.suffix.lower() not in SUFFIXES:
            continue
        case = cases.get(artifact["case"], {})
        told = case.get("sample", {})
        keys: dict[str, Any] = {key: Path(value) if key in path_keys else value for key, value in told.items()}
        keys |= {"text_prompt": case.get("prompt", ""), _key(path): path}
        if reference := compared.get(artifact["path"]):
            keys["reference"] = run.inside(reference)
        name = Path(artifact["path"]).relative_to("artifacts").as_posix()
        samples.append(Sample(name, keys, tags=tags_of(keys)))
    if not samples:
        raise UsageError(
            f"{run.path} has no clips: op={manifest['op']} left {len(manifest['artifacts'])} artifact(s) there.",
            "Give the folder of a run that generated some; outputs/latest is whatever ran last.",
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
