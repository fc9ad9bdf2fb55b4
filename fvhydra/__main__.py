"""Run ``python -m fvhydra``."""

from fvhydra.cli import main

main()
