# SPDX-License-Identifier: Apache-2.0
"""What a benchmark declares that it measures, as a document, and its fingerprint.

What was only resolved while it ran (revision, attention backend) stands in the document and not in the fingerprint: a
backend that silently degraded must fail against the good records, and not open a history of its own.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from fvhydra.core.errors import UsageError
from fvhydra.core.files import sha256_bytes

RECIPE_SCHEMA_VERSION = 2

BENCHMARK_KEYS = ("benchmark_id", "workload_id", "variant_id", "benchmark_version")
_NEGATIVE_PROMPT_KEYS = ("negative_prompt", "neg_prompt")
_NO_INPUT_OF_A_MODEL = {"output_path", "output_video_name", "prompt", *_NEGATIVE_PROMPT_KEYS}
_DEFAULT_PROMPTS = ("A cinematic video.",)
"""What the ecosystem measures with where a benchmark has no prompts."""
_HUB_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")


def recipe_document(
    benchmark: Mapping[str, Any],
    *,
    attention_backend: str | None = None,
    resolved_attention_backend: str | None = None,
    resolved_model_revision: str | None = None,
    measured_prompts: Sequence[str] | None = None,
) -> dict[str, Any]:
    """The recipe of a benchmark, schema 2.

    Args:
        benchmark: The benchmark as its file has it: ids, ``model``, ``init_kwargs``, ``generation_kwargs``,
            ``test_prompts``.
        attention_backend: As asked for; None where nobody asked.
        resolved_attention_backend: What the engine took.
        resolved_model_revision: Commit of the weights.
        measured_prompts: Prompts, where others than the benchmark's were measured.

    Raises:
        UsageError: One of the benchmark's ids is missing.
    """
    if missing := [key for key in BENCHMARK_KEYS if _given(benchmark.get(key)) is None]:
        raise UsageError(f"The benchmark has no {', '.join(missing)}; its recipe needs {', '.join(BENCHMARK_KEYS)}.")
    model = benchmark.get("model") or {}
    generation = benchmark.get("generation_kwargs") or {}
    prompts = measured_prompts if measured_prompts is not None else benchmark.get("test_prompts") or _DEFAULT_PROMPTS
    negative = next((generation[key] for key in _NEGATIVE_PROMPT_KEYS if key in generation), None)
    return {
        "recipe_schema_version": RECIPE_SCHEMA_VERSION,
        "benchmark": {key: benchmark[key] for key in BENCHMARK_KEYS},
        "model": {
            "model_path": _model_path(model.get("model_path")),
            "revision": _given(model.get("revision") or benchmark.get("revision")),
            "resolved_revision": _given(resolved_model_revision),
        },
        "init_kwargs": dict(benchmark.get("init_kwargs") or {}),
        "generation_kwargs": {key: value for key, value in generation.items() if key not in _NO_INPUT_OF_A_MODEL},
        "inputs": {
            "prompt_count": len(prompts),
            "prompt_sha256": [_text_sha256(prompt) for prompt in prompts],
            "negative_prompt_sha256": _text_sha256(negative),
        },
        "attention": {
            "requested_backend": _given(attention_backend) or "auto",
            "resolved_backend": _given(resolved_attention_backend),
        },
    }


def recipe_fingerprint(recipe: Mapping[str, Any]) -> str:
    """Hex SHA-256 of the canonical JSON of what a recipe declares."""
    resolved = {"model": "resolved_revision", "attention": "resolved_backend", "benchmark": "benchmark_id"}
    declared = {
        part: {key: value for key, value in content.items() if key != resolved.get(part)}
        if isinstance(content, Mapping)
        else content
        for part, content in recipe.items()
    }
    return sha256_bytes(canonical_json(declared).encode())


def canonical_json(value: Any) -> str:
    """The one spelling of recipes and profiles: sorted keys, no spaces, ASCII.

    It differs from ``core.files.canonical_json``: sets are sorted by the text of their members, members of enums are
    their names, dtypes of torch are without ``torch.``.
    """
    return json.dumps(_canonical(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _canonical(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _canonical({field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
    if isinstance(value, Mapping):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return [_canonical(item) for item in sorted(value, key=str)]
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, PurePath):
        return Path(value).expanduser().as_posix()
    if type(value).__module__ == "torch" and type(value).__name__ == "dtype":  # without importing torch
        return str(value).removeprefix("torch.")
    return value


def _model_path(value: Any) -> str | None:
    """A repository of the Hub without doubled slashes, or a folder as POSIX."""
    text = "" if value is None else str(value).strip()
    if not text:
        return None
    if text.startswith(("/", "./", "../", "~")) or ("/" in text and not _HUB_REPOSITORY.fullmatch(text)):
        return Path(text).expanduser().as_posix()
    return text


def _given(value: Any) -> Any:
    """``value``, or None where it is blank."""
    return None if isinstance(value, str) and not value.strip() else value


def _text_sha256(text: Any) -> str | None:
    return None if text is None else sha256_bytes(str(text).encode())
