# SPDX-License-Identifier: Apache-2.0
"""Changes: the one way to write to a store. Prepare, review, apply."""
