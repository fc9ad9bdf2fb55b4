# SPDX-License-Identifier: Apache-2.0
"""Run ``python -m fvhydra``."""

from fvhydra.cli import main

if __name__ == "__main__":
    main()
