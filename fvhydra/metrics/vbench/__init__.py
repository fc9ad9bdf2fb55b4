# SPDX-License-Identifier: Apache-2.0
"""Metrics for dimensions of VBench.

Huang et al., "VBench: Comprehensive benchmark suite for video generative models" (2024).
"""
