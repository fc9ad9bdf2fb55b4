# SPDX-License-Identifier: Apache-2.0
"""Metrics that ask a language model which sees."""
