# SPDX-License-Identifier: Apache-2.0
"""What all pages share: the templates, and that text from outside is shown as text."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from fvhydra.core.result import RunResult
from fvhydra.core.text import printable
from fvhydra.report import wording
from fvhydra.report.baseline import baseline_sentences, baseline_tables
from fvhydra.report.media import relative_url


def render(template: str, **context: Any) -> str:
    """The page that ``templates/<template>`` makes of ``context``."""
    return _environment().get_template(template).render(context)


def masthead(result: RunResult, manifest: dict[str, Any]) -> dict[str, Any]:
    """What the head and the foot of a run's page need; every key of the manifest is optional."""
    return {
        "title": wording.run_name(result),
        "result": result,
        "command": command(manifest),
        "created": manifest.get("created"),
        "config": manifest.get("config"),
        "environment": manifest.get("environment") or {},
    }


def command(manifest: dict[str, Any]) -> str:
    """The command of a manifest as it can be typed again."""
    found = manifest.get("command") or ""
    return found if isinstance(found, str) else shlex.join(found)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("fvhydra.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    filters: dict[str, Callable[..., Any]] = {
        "number": wording.number,
        "end": wording.end_text,
        "total": wording.total_text,
        "value": wording.value_text,
        "word": wording.verdict_word,
        "arrow": wording.arrow,
        "span": wording.span,
        "first_line": wording.first_line,
        "sentences": wording.sentences,
        "commands": wording.commands,
        "outcome": wording.outcome,
        "relative_url": relative_url,
        "baseline_tables": baseline_tables,
        "baseline_sentences": baseline_sentences,
        "pretty": lambda value: json.dumps(value, indent=2, ensure_ascii=False, default=str),
    }
    environment.filters |= filters
    environment.globals["tones"] = wording.TONES
    return environment
