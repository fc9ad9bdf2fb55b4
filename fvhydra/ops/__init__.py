# SPDX-License-Identifier: Apache-2.0
"""The operations: one module for each word after ``op=``."""
