# SPDX-License-Identifier: Apache-2.0
"""How fast an engine is and how much memory it takes: records, rolling baselines, gates."""
