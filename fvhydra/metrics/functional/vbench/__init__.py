# SPDX-License-Identifier: Apache-2.0
"""VBench: what its dimensions make of frames, features and detections, and what its leaderboard makes of dimensions.

Huang et al., "VBench: Comprehensive benchmark suite for video generative models" (2024).
"""
