# SPDX-License-Identifier: Apache-2.0
"""Arithmetic of sound: divergence of recognised classes, errors of recognised words, offset from the picture."""
