# SPDX-License-Identifier: Apache-2.0
"""Similarity of two artifacts: pure functions on arrays, and their streaming forms."""
