# SPDX-License-Identifier: Apache-2.0
"""Metrics of sound: by itself, against a reference, and against a text."""
