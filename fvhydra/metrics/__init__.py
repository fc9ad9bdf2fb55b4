# SPDX-License-Identifier: Apache-2.0
"""Metrics: scores of one clip, of a clip against its reference, or of two sets of clips."""
