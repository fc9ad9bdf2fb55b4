# SPDX-License-Identifier: Apache-2.0
"""A real Slurm cluster of our own: munged, mariadbd, slurmdbd, slurmctld and two slurmd with two fake GPUs each.

    with Cluster(folder) as cluster:
        ...  # commands and children with SLURM_CONF=cluster.conf see nodes n1 and n2, idle
        cluster.kill_node("n1")

It runs on this host, without systemd or cgroups, and writes nothing outside of its folder. By hand:
``python -m tests.servers.slurm``. Debian: ``apt-get install --no-install-recommends slurm-wlm munge slurmdbd
mariadb-server-core``.
"""

from tests.servers.slurm.cluster import Cluster

__all__ = ["Cluster"]
