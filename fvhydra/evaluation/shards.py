# SPDX-License-Identifier: Apache-2.0
"""Splitting an evaluation over several jobs."""

from __future__ import annotations

from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser

from fvhydra.core.errors import UsageError
from fvhydra.core.files import sha256_bytes
from fvhydra.metrics.sample import Sample


def shard_of(sample: Sample, shards: int) -> int:
    """Which of ``shards`` a sample belongs to: by what is in its clip, so on every machine alike."""
    key = next((key for key in ("video", "audio") if key in sample.keys), None)
    try:
        content = sample.content([key] if key else sample.keys)
    except OSError:  # the file is not there: some shard has to say so
        content = sha256_bytes(sample.id.encode())
    return int(content[:16], 16) % shards


def number_of_shards(shard: int | None, shards: int, command: Sequence[str]) -> int:
    """How many shards there are: ``op.shards``, or as many as the command sweeps ``op.shard`` over; 1 for no sharding.

    Raises:
        UsageError: The command does not tell, or ``op.shard`` is beyond it.
    """
    if shard is None:
        return 1
    count = shards or _swept(command)
    if not count:
        raise UsageError(
            f"op.shard={shard} does not say of how many.", "Add op.shards=8, or sweep all: -m op.shard='range(0,8)'."
        )
    if shard >= count:
        raise UsageError(f"op.shard={shard} must be less than op.shards={count}; the first is 0.")
    return count


def _swept(command: Sequence[str]) -> int:
    """The values of ``op.shard`` in a sweep, if they are 0, 1, 2, ... without a gap; else 0."""
    words = [word for word in command if word.startswith("op.shard=")]
    if not words:
        return 0
    override = OverridesParser.create().parse_override(words[-1])
    values = [str(value) for value in override.sweep_iterator()] if override.is_sweep_override() else []
    return len(values) if sorted(values) == sorted(map(str, range(len(values)))) else 0
