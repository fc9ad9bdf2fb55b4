# SPDX-License-Identifier: Apache-2.0
"""What runs a model: one module for each engine, all with the contract of ``base``."""
