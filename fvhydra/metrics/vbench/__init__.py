# SPDX-License-Identifier: Apache-2.0
"""VBench's dimensions.

Huang et al., "VBench: Comprehensive benchmark suite for video generative models" (2024).
"""
