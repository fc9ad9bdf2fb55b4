# SPDX-License-Identifier: Apache-2.0
"""Metrics that belong to no single benchmark: distance from a reference in pixels or in the features of a network."""
