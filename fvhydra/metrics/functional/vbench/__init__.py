# SPDX-License-Identifier: Apache-2.0
"""Arithmetic of VBench: its dimensions from frames, features and detections, and the totals of its leaderboard.

Huang et al., "VBench: Comprehensive benchmark suite for video generative models" (2024).
"""
