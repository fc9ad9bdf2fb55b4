# SPDX-License-Identifier: Apache-2.0
"""``op=reseed_perf``: move a performance baseline on purpose, by reviewed measurements."""

from __future__ import annotations

from collections.abc import Sequence

from fvhydra.config.op import ReseedPerfConfig
from fvhydra.core.baseline import BaselineMetric
from fvhydra.core.errors import UsageError
from fvhydra.ops.context import Context
from fvhydra.ops.perf_baseline import MovePerf
from fvhydra.performance.batch import refuse_mixed
from fvhydra.performance.history import History
from fvhydra.performance.record import PerfRecord
from fvhydra.performance.reseeding import Occasion, reseeded_records
from fvhydra.performance.sources import Source, refuse_unmeasured


class ReseedPerf(MovePerf):
    """Add records of a target that is named, out of sources that agree."""

    config: ReseedPerfConfig
    change_kinds = ("reseed_perf",)
    verb = "Re-seed"

    def preflight(self, context: Context) -> None:
        """Refuse when the target is not named, and what no move of a baseline takes."""
        for key in ("model_id", "gpu_type"):
            if not getattr(self.config, key).strip():
                raise UsageError(
                    f"op=reseed_perf needs op.{key}, exactly as records have it.",
                    'For example op.model_id=wan-t2v-1.3b-2gpu op.gpu_type="NVIDIA L40S".',
                )
        super().preflight(context)

    def check(self, sources: Sequence[Source], metrics: Sequence[BaselineMetric], history: History) -> None:
        """Refuse sources that disagree."""
        refuse_unmeasured(sources)
        refuse_mixed(metrics, self.config.max_intra_batch_regression)

    def records(self, sources: Sequence[Source], history: History, occasion: Occasion) -> list[PerfRecord]:
        return reseeded_records(sources, history, occasion)
