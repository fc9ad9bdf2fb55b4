# SPDX-License-Identifier: Apache-2.0
"""Physics-IQ: agreement of a generated continuation with the recording in where, when and how much it moves.

Motamed et al., "Do generative video models understand physical principles?" (2025), and its physics-IQ-benchmark. Both
clips have the same frame rate and are cut to the same frames by the caller (the benchmark: the first 5 s).
"""
