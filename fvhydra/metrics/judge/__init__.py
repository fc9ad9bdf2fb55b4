# SPDX-License-Identifier: Apache-2.0
"""What judges, people or models, said about pairs of clips."""
