# SPDX-License-Identifier: Apache-2.0
"""``launcher=slurm``: arrays of jobs on a Slurm cluster.

``batch`` says what is submitted and ``script`` writes it down, ``submissions`` submits it and remembers that in the
sweep's folder, ``queue`` asks Slurm how the jobs are, ``launcher`` brings these together.
"""
