# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of the metrics: pure functions on arrays, without weights, files or devices.

Clips are uint8 ``[T, H, W, 3]`` RGB, as the decoder yields them. Nothing here cuts, resamples or skips silently: arrays
of the wrong type, shape or length are a ValueError, and what a metric does about it is decided where samples are read.
"""
