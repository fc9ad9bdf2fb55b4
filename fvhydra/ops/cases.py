"""From a configuration to the cases it asks for."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fvhydra.config.prompts import Prompt
from fvhydra.config.root import Config
from fvhydra.config.schema import conf_dir
from fvhydra.core import files
from fvhydra.core.case import Case
from fvhydra.core.context import Context
from fvhydra.core.errors import UsageError
from fvhydra.stores.layout import prompt_stem


def cases(config: Config) -> list[Case]:
    """Every case of the run, in the order of its prompts.

    Raises:
        UsageError: A prompt is empty or missing, an image is missing, ``prompt_index`` is out of range.
    """
    prompts = _prompts(config)
    stems: set[str] = set()
    found = []
    for index, prompt in enumerate(prompts):
        stem = prompt_stem(prompt.text)
        found.append(_case(config, index, prompt, shares_stem=stem in stems))
        stems.add(stem)
    if config.prompt_index is None:
        return found
    if config.prompt_index >= len(found):
        raise UsageError(
            f"prompt_index={config.prompt_index} is out of range: {_source(config)} has {len(found)} prompt(s), "
            f"0 to {len(found) - 1}."
        )
    return [found[config.prompt_index]]


def file_digests(config: Config) -> dict[str, str]:
    """Content hashes of the files that the prompts come from, by the names that they are given by.

    A file that is missing has none; :func:`cases` says so.
    """
    found: dict[str, str] = {}
    if config.prompt_file is not None and Path(config.prompt_file).is_file():
        found[config.prompt_file] = files.sha256_file(Path(config.prompt_file))
    with contextlib.suppress(UsageError):
        for prompt in _prompts(config):
            if (image := _image(config, prompt)) is not None:
                found[str(config.image or prompt.image)] = files.sha256_file(image)
    return found


def same_cases(context: Context) -> str:
    """The words that ask for the same cases in the same store, for commands that are suggested to a person."""
    return shlex.join(same_words(context))


def same_words(context: Context) -> list[str]:
    """The overrides of the job, without what says what to do and where to run it."""
    others = ("op=", "op.", "run=", "job", "launcher", "hydra", "resume", "sweep=", "dry_run")
    kept = [word for word in context.overrides if not word.lstrip("+~").startswith(others)]
    model = [] if any(word.startswith("model=") for word in kept) else [f"model={context.config.model.name}"]
    folders = [word for word in carried_words(context.command) if not word.startswith("store")]
    return [*model, *kept, *folders]


def carried_words(command: Sequence[str]) -> list[str]:
    """What was typed to choose the store, and folders of configuration; suggested commands need them too."""
    return [
        word
        for position, word in enumerate(command)
        if word.startswith(("store=", "store.", "--config-dir"))
        or (position and command[position - 1] in ("--config-dir", "-cd"))
    ]


def _case(config: Config, index: int, prompt: Prompt, shares_stem: bool) -> Case:
    if not prompt.text.strip():
        raise UsageError(f"Prompt {index} of {_source(config)} is empty.", "Give it a text, or take it out.")
    negative_prompt = prompt.negative_prompt or config.sampling.negative_prompt
    if not (_is_unicode(prompt.text) and _is_unicode(negative_prompt or "")):
        raise UsageError(
            f"Prompt {index} of {_source(config)} is not text: it holds half of a surrogate pair, or bytes that are "
            "not UTF-8.",
            "Write it in UTF-8.",
        )
    image = _image(config, prompt)
    if config.model.workload == "i2v" and image is None:
        raise UsageError(
            f"model={config.model.name} animates a first frame, and prompt {index} of {_source(config)} has none.",
            "Add image=<path of a picture>.",
        )
    if config.model.workload in ("t2v", "t2a") and image is not None:
        raise UsageError(
            f"model={config.model.name} takes no first frame, but {image} is given.",
            "Leave image= away, or choose an image-to-video model such as model=wan22_ti2v_5b.",
        )
    return Case(
        index=index,
        prompt=prompt.text,
        negative_prompt=negative_prompt,
        seed=config.seed,
        image=image,
        image_sha256=files.sha256_file(image) if image else None,
        model=config.model,
        sampling=config.sampling,
        engine=config.engine.name,
        backend=config.backend,
        tier=config.tier,
        gpu=config.gpu,
        shares_stem=shares_stem,
    )


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _source(config: Config) -> str:
    if config.prompt is not None:
        return "prompt="
    return f"prompt_file={config.prompt_file}" if config.prompt_file else f"prompts={config.prompts.name}"


def _prompts(config: Config) -> list[Prompt]:
    if config.prompt is not None and config.prompt_file is not None:
        raise UsageError("prompt= and prompt_file= are both given.", "Leave one of them away.")
    if config.prompt is not None:
        return [Prompt(text=config.prompt)]
    found = _read_prompts(Path(config.prompt_file)) if config.prompt_file is not None else config.prompts.entries
    if not found:
        raise UsageError(f"{_source(config)} has no prompts.")
    return found


def _image(config: Config, prompt: Prompt) -> Path | None:
    if config.image is not None:
        given, path = f"image={config.image}", Path(config.image).expanduser()
    elif prompt.image is None:
        return None
    else:
        folder = Path(config.prompt_file).parent if config.prompt_file else conf_dir() / "prompts"
        given, path = f"the image {prompt.image} of {_source(config)}", folder / Path(prompt.image).expanduser()
    if not path.is_file():
        raise UsageError(f"There is no file {path} ({given}).")
    return path


def _read_prompts(path: Path) -> list[Prompt]:
    """Prompts of a file: ``.txt`` has one a line; the others have strings, or objects with the keys of Prompt."""
    readers = {".txt": _from_txt, ".jsonl": _from_jsonl, ".json": files.read_json, ".yaml": _from_yaml}
    if path.suffix not in readers:
        raise UsageError(f"prompt_file={path} has an unknown extension; allowed: {', '.join(readers)}.")
    if not path.is_file():
        raise UsageError(f"prompt_file={path}: there is no such file.")
    try:
        items = readers[path.suffix](path)
    except UnicodeDecodeError as error:
        raise UsageError(f"prompt_file={path} is not UTF-8 text ({error.reason} at byte {error.start}).") from error
    if not isinstance(items, list):
        raise UsageError(f"prompt_file={path} must hold a list of prompts.")
    return [_prompt(item, path) for item in items]


def _prompt(item: Any, path: Path) -> Prompt:
    if isinstance(item, str):
        return Prompt(text=item)
    keys = ("text", "image", "negative_prompt")
    if isinstance(item, dict) and set(item) <= set(keys) and isinstance(item.get("text"), str):
        if all(value is None or isinstance(value, str) for value in item.values()):
            return Prompt(**item)
        raise UsageError(f"prompt_file={path}: the values of {item!r} must be texts.")
    raise UsageError(f"prompt_file={path}: {item!r} is neither a text nor an object with the keys {', '.join(keys)}.")


def _from_txt(path: Path) -> list[Any]:
    return [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]


def _from_jsonl(path: Path) -> list[Any]:
    try:
        return [json.loads(line) for line in _from_txt(path)]
    except ValueError as error:
        raise UsageError(f"prompt_file={path} has a line that is not JSON ({error}).") from error


def _from_yaml(path: Path) -> Any:
    text = path.read_text(encoding="utf-8-sig")
    try:
        return OmegaConf.to_container(OmegaConf.load(io.StringIO(text)))
    except (yaml.YAMLError, OmegaConfBaseException, OSError) as error:  # OSError: neither a list nor an object
        where = " ".join(str(error).split())
        raise UsageError(f"prompt_file={path} is not a YAML list of prompts ({where}).") from error
