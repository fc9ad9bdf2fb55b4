# SPDX-License-Identifier: Apache-2.0
"""Metrics that no single benchmark owns: how far a clip is from its reference, pixel by pixel or to a network's eye."""
