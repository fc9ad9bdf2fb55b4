# SPDX-License-Identifier: Apache-2.0
"""``op=seed_perf``: the first performance baseline of a new identity."""

from __future__ import annotations

from collections.abc import Sequence

from fvhydra.config.op import SeedPerfConfig
from fvhydra.core.baseline import BaselineMetric
from fvhydra.ops.perf_baseline import MovePerf
from fvhydra.performance.batch import refuse_mixed
from fvhydra.performance.history import History
from fvhydra.performance.record import PerfRecord
from fvhydra.performance.reseeding import Occasion
from fvhydra.performance.seeding import refuse_known, refuse_unfit, seeded_records
from fvhydra.performance.sources import Source


class SeedPerf(MovePerf):
    """Add the first records of an identity, out of scheduled runs that found none."""

    config: SeedPerfConfig
    change_kinds = ("seed_perf",)
    told_apart_by = ("job_id", "build_id", "build_url")
    verb = "Seed"

    def check(self, sources: Sequence[Source], metrics: Sequence[BaselineMetric], history: History) -> None:
        """Refuse sources that are no such runs or disagree, and an identity that is known already."""
        refuse_unfit(sources)
        refuse_mixed(metrics, self.config.max_intra_batch_regression)
        record = sources[0].record
        assert record.identity is not None  # refuse_unfit
        refuse_known(record.identity, history, record.weights)

    def records(self, sources: Sequence[Source], history: History, occasion: Occasion) -> list[PerfRecord]:
        return seeded_records(sources, history, occasion)
