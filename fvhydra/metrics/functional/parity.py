# SPDX-License-Identifier: Apache-2.0
"""Whose number a metric reproduces, where two well-known programs compute different ones under one name.

``upstream`` is the benchmark that defined the metric, or, where FastVideo's evaluation is its only home, that
arithmetic without its known mistakes. ``peer`` is FastVideo's evaluation, mistakes included, for comparison with its
results. Every function that takes a :data:`Parity` says in its docstring what differs.
"""

from __future__ import annotations

from typing import Literal

Parity = Literal["upstream", "peer"]
