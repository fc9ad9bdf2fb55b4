# SPDX-License-Identifier: Apache-2.0
"""Seeded runs of many small misfortunes; each answers with a table of what was tried and what came of it."""
