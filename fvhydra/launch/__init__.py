# SPDX-License-Identifier: Apache-2.0
"""Where the jobs of a sweep run: Hydra launchers."""
