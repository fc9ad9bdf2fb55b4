# SPDX-License-Identifier: Apache-2.0
"""What is scored: samples out of files, run folders and manifests."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fvhydra.core.errors import UsageError
from fvhydra.core.files import given_path
from fvhydra.core.run import RunFolder
from fvhydra.core.untrusted import read_json
from fvhydra.evaluation.manifest import PATHS, read_manifest, tags_of
from fvhydra.media.frame_folder import PICTURES, has_numbered_pictures
from fvhydra.metrics.sample import Sample

_VIDEO = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".gif")
_SOUND = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a")
SUFFIXES = _VIDEO + _SOUND
"""Files that a folder is searched for, the last six for metrics of sound."""

_EXTENSIONS = (*SUFFIXES, ".flv", ".ts", ".y4m", ".aac", ".aiff")
"""Of everything that can be read."""

_NAMED = 3

_REFERENCES = {"video": "reference", "audio": "reference_audio"}


@dataclass(frozen=True)
class Samples:
    """The samples of an evaluation, and what was left out of them.

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
    fps: float | None = None,
    of_shard: bool = False,
) -> Samples:
    """The samples that ``videos=`` (with ``references=``), ``run=`` or ``manifest=`` name.

    Args:
        path_keys: Keys of a manifest whose values are files, as the chosen metrics declare.
        videos: A folder, a run folder, a folder of frames, a file or a pattern.
        references: The same; paired with the videos by relative path.
        run: A run folder.
        manifest: A file of JSON lines.
        fps: Frames a second of folders of frames, where a manifest does not say. Folders are searched for them where it
            is given.
        of_shard: Whether the manifest may be that of a shard, where no sample fell into it.

    Raises:
        UsageError: None or several of the three, nothing there, or lines of a manifest that are no samples.
    """
    sources = {"videos=": videos, "run=": run, "manifest=": manifest}
    given = [name for name, value in sources.items() if value is not None]
    if len(given) != 1:
        raise UsageError(
            f"op=eval: {' and '.join(given)} are given." if given else "op=eval: nothing to score is given.",
            "One of videos=, run= and manifest= says what is scored: op=eval videos=outputs/latest metrics=pixel",
        )
    if references is not None and videos is None:
        raise UsageError("references= goes with videos= only; a manifest names each sample's reference itself.")
    if manifest is not None:
        return _some_paired(_with_rate(read_manifest(given_path(manifest), path_keys, may_be_empty=of_shard), fps))
    paths = {*PATHS, *path_keys}
    if run is not None:
        return _some_paired(_of_run(RunFolder.open(given_path(run)), paths))
    found = _found("videos", str(videos), paths, fps)
    if references is None:
        return _some_paired(_with_rate(found, fps))
    approved = {sample.id: _clip(sample) for sample in _found("references", references, paths, fps)}
    one_each = all(_is_clip(given_path(given)) for given in (str(videos), references))
    paired = _paired(found, approved, {found[0].id: next(iter(approved))} if one_each else {})
    return replace(paired, samples=_with_rate(paired.samples, fps))


def _with_rate(samples: list[Sample], fps: float | None) -> list[Sample]:
    return samples if fps is None else [replace(sample, keys={"fps": fps, **sample.keys}) for sample in samples]


def _some_paired(samples: list[Sample]) -> Samples:
    """Samples that name their references themselves: where some do, those that do not are listed."""
    generated = [sample for sample in samples if sample.role == "generated"]
    alone = [sample.id for sample in generated if not set(_REFERENCES.values()) & set(sample.keys)]
    return Samples(samples, alone if len(alone) < len(generated) else [])


def _paired(samples: Sequence[Sample], approved: Mapping[str, Path], known: Mapping[str, str]) -> Samples:
    """Pairs that are ``known`` (two single files, whatever their names), else by relative path."""
    partners = known or pairs([sample.id for sample in samples], approved)
    paired = []
    for sample in samples:
        keys = {key: value for key, value in sample.keys.items() if key not in _REFERENCES.values()}
        if sample.id in partners:
            reference = approved[partners[sample.id]]
            keys[_REFERENCES[_key(reference)]] = reference
        paired.append(replace(sample, keys=keys))
    unused = sorted(set(approved) - set(partners.values()))
    paired += [Sample(f"reference/{name}", {_key(approved[name]): approved[name]}, "reference") for name in unused]
    return Samples(paired, sorted({sample.id for sample in samples} - set(partners)), unused)


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
    """Without the extension; the name of a folder of frames has none, whatever follows its last dot."""
    path = Path(name)
    return (path.with_suffix("") if path.suffix.lower() in _EXTENSIONS else path).as_posix()


def _key(path: Path) -> str:
    return "audio" if path.suffix.lower() in _SOUND else "video"


def _clip(sample: Sample) -> Path:
    path: Path = sample.keys.get("video") or sample.keys["audio"]
    return path


def _found(key: str, given: str, path_keys: Collection[str], fps: float | None) -> list[Sample]:
    """Those of a run folder, or clips by their path relative to the folder, or to what comes before a wildcard."""
    path = given_path(given)
    if RunFolder.is_at(path):
        return _of_run(RunFolder.open(path), path_keys)
    base, files, folders = _clips_at(path, glob.has_magic(given))
    if folders and fps is None and not files:
        names = ", ".join(sorted(folder.name for folder in folders)[:_NAMED])
        raise UsageError(
            f"{key}={given} has folders of frames ({names}), and nobody says their rate.", "Give it as op.fps=24."
        )
    clips = files + (folders if fps is not None else [])
    if not clips:
        searched = f"no clip ({', '.join(SUFFIXES)}) and no folder of numbered pictures ({', '.join(PICTURES)})"
        what = f"has {searched}" if path.is_dir() else "does not exist, and no file matches it as a pattern"
        raise UsageError(
            f"{key}={given} {what}.", f"Give a folder, a run folder, a file or a pattern such as {key}='gen/*.mp4'."
        )
    found = [Sample(clip.relative_to(base).as_posix(), {_key(clip): clip.absolute()}) for clip in clips]
    return sorted(found, key=lambda sample: sample.id)


def _clips_at(path: Path, is_pattern: bool) -> tuple[Path, list[Path], list[Path]]:
    """What names are relative to, files, and folders of frames."""
    if path.is_dir():
        files, pictured = [], set()
        for entry in path.rglob("*"):
            if entry.suffix.lower() in SUFFIXES and not entry.is_dir():
                files.append(entry)
            elif entry.suffix.lower() in PICTURES:
                pictured.add(entry.parent)
        folders = [folder for folder in pictured - {file.parent for file in files} if has_numbered_pictures(folder)]
        return path.parent if folders == [path] and not files else path, files, folders
    if path.exists() or not is_pattern:
        return path.parent, [path] if path.exists() else [], []
    base = _before_wildcard(path)
    matches = list(base.glob(str(path.relative_to(base))))
    # a link that leads nowhere is a clip that was lost, and is told of as such
    files = [match for match in matches if not match.is_dir()]
    return base, files, [match for match in matches if match.is_dir() and has_numbered_pictures(match)]


def _is_clip(path: Path) -> bool:
    """Whether a path is one clip, and not a place where there are some."""
    return path.is_file() or (path.is_dir() and has_numbered_pictures(path) and _clips_at(path, False)[2] == [path])


def _before_wildcard(pattern: Path) -> Path:
    """The innermost folder of a pattern that is no pattern itself."""
    return next(parent for parent in pattern.parents if not glob.has_magic(str(parent)))


def _of_run(run: RunFolder, path_keys: Collection[str]) -> list[Sample]:
    """The clips of an earlier run, each with its prompt, what its suite said of it, and what it was compared with."""
    manifest = run.manifest
    cases = {case["index"]: case for case in manifest["cases"]}
    compared = _references(run)
    samples = []
    for artifact in manifest["artifacts"]:
        path = run.inside(artifact["path"])
        if path.suffix.lower() not in SUFFIXES or "case" not in artifact:  # what is made of several clips
            continue
        case = cases.get(artifact["case"], {})
        told = case.get("sample", {})
        keys: dict[str, Any] = {key: Path(value) if key in path_keys else value for key, value in told.items()}
        keys |= {"text_prompt": case.get("prompt", ""), _key(path): path}
        if reference := compared.get(artifact["path"]):
            keys["reference"] = run.inside(reference)
        name = artifact["path"].removeprefix("artifacts/")
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
