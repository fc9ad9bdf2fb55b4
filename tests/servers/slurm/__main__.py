# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.servers.slurm [folder]``: a cluster to try things on, until Ctrl-C."""

from __future__ import annotations

import signal
import sys
import tempfile
from pathlib import Path

from tests.servers.slurm.cluster import Cluster


def main() -> None:
    given = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="slurm-")
    with Cluster(Path(given).resolve()) as cluster:
        print(f"export SLURM_CONF={cluster.conf}", "Ctrl-C stops it.", sep="\n", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


main()
