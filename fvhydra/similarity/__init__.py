# SPDX-License-Identifier: Apache-2.0
"""How alike two artifacts are: pure functions on arrays, and their streaming forms."""
