# SPDX-License-Identifier: Apache-2.0
"""Where these were before; ``fvhydra.testing.cases`` has them."""

from fvhydra.testing.cases import *  # noqa: F403
