# SPDX-License-Identifier: Apache-2.0
"""Scoring clips: the pass over them, their results, gates on these, and comparing two evaluations."""
