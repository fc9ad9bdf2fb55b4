# SPDX-License-Identifier: Apache-2.0
"""Physics-IQ: does a continuation move where, when and as much as the recording did?

Motamed et al., "Do generative video models understand physical principles?" (2025), and its physics-IQ-benchmark. Both
clips have the same frame rate and are cut to the same frames by the caller (the benchmark: the first 5 s).
"""
