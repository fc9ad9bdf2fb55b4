# SPDX-License-Identifier: Apache-2.0
"""``make fuzz``: try inputs from strangers, and faults and kills of stores; print the tables.

``python -m tests.fuzz [seed] [inputs] [misfortunes]``. Without any words it tries what the page says, and renews it.
"""

from __future__ import annotations

import sys

from tests.fuzz import inputs, page, stores


def main() -> None:
    """Run both suites; the first broken promise ends it with what broke it."""
    given = [int(word) for word in sys.argv[1:]]
    seed, few, many = [*given, *(page.SEED, page.INPUTS, page.MISFORTUNES)[len(given) :]]
    for name, rows in (("inputs", inputs.run(seed, few)), ("stores", stores.run(seed, many))):
        print(page.shown(rows))
        if not given:
            page.renew(name, rows)


if __name__ == "__main__":
    main()
