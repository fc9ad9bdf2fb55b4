# SPDX-License-Identifier: Apache-2.0
"""Whether one engine computes what another does, and where it first does not."""
