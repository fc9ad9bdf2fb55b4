# SPDX-License-Identifier: Apache-2.0
"""Metrics of recorded judgements, by people or models, about pairs of clips."""
