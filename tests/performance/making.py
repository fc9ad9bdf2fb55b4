# SPDX-License-Identifier: Apache-2.0
"""Records as tests need them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fvhydra.config.store import LocalStoreConfig
from fvhydra.performance.names import record_path
from fvhydra.performance.record import PerfRecord
from fvhydra.stores.local import LocalStore

IDENTITY = {
    "result_schema_version": 2,
    "workload_id": "toy",
    "variant_id": "v1",
    "benchmark_version": 3,
    "recipe_fingerprint": "aa",
    "hardware_profile_id": "hw-1",
    "software_profile_id": "sw-1",
}


def record(day: int = 1, **fields: Any) -> PerfRecord:
    """A success of the second month, of day ``day``; ``fields`` replace and add."""
    return PerfRecord(
        {
            "model_id": "toy-1gpu",
            "timestamp": f"2026-02-{day:02}T00:00:00+00:00",
            "commit_sha": f"{day:040x}",
            "gpu_type": "NVIDIA L40S",
            "latency": 10.0,
            "throughput": 4.5,
            "memory": 10000.0,
            "text_encoder_time_s": 1.0,
            "dit_time_s": 6.0,
            "vae_decode_time_s": 2.0,
            "success": True,
        }
        | fields
    )


def with_identity(day: int = 1, **fields: Any) -> PerfRecord:
    """The same of schema 2, eligible."""
    return record(day, **{**IDENTITY, "run_source": "scheduled_main", "baseline_eligible": True, **fields})


def local_store(folder: Path, records: Sequence[PerfRecord] = (), **others: bytes) -> LocalStore:
    """A store with records at their paths, and other files."""
    store = LocalStore(LocalStoreConfig(_target_="", name="local", path=str(folder)))
    adds = {record_path(each): json.dumps(each.fields).encode() for each in records} | others
    if adds:
        store.commit(adds, message="records")
    return store
