# SPDX-License-Identifier: Apache-2.0
"""``op=attach``: come back to a sweep whose jobs go on elsewhere."""

from __future__ import annotations

from fvhydra.core.errors import UsageError
from fvhydra.core.result import RunResult
from fvhydra.ops.base import Op
from fvhydra.ops.context import Context


class Attach(Op):
    """A word for the driver, which follows the jobs of the sweep ``run=`` and concludes as their command would."""

    attaches = True
    writes_run_folder = False
    uses_model = False

    def run(self, context: Context) -> RunResult:
        """Refuse to run as a job.

        Raises:
            UsageError: Always.
        """
        raise UsageError(
            "op=attach follows jobs, and cannot be one itself.", "Leave -m and launcher= away: op=attach run=<sweep>."
        )
