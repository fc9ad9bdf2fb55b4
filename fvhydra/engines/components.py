# SPDX-License-Identifier: Apache-2.0
"""Components of a pipeline, each run alone on inputs that are kept in a file: part of the contract of an engine.

The file is what crosses between two engines, which may be of other versions in other environments: a ``.safetensors``
with the tensors of each call, and its other arguments as JSON in the header.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the standard library is enough to compose a configuration
    from numpy.typing import NDArray

CAPTURED, SEEDED = "captured", "seeded"
MOST_VALUES = 1 << 24
"""Values of an output that are kept; of a larger one so many at equal distances, the first and the last included."""


@dataclass
class RecordedComponent:
    """What one component is to be run on.

    Attributes:
        name: The component, as in ``transformer``; of a VAE with its method, as in ``vae.encode``.
        kind: Name of its class.
        file: The calls; None where there are none.
        inputs: ``captured`` from a generation, or ``seeded``: random values of the right shapes.
        calls: How many calls the file holds.
        needed: Whether the generation needs it: all do but the half of a VAE that was not called.
        why: Why there is no file.
    """

    name: str
    kind: str
    file: Path | None = None
    inputs: str = ""
    calls: int = 0
    needed: bool = True
    why: str = ""


@dataclass
class Recording:
    """The components of a pipeline, in the order that it names them.

    Attributes:
        failed: Why the generation came to no end; what had been called until then is recorded.
    """

    components: list[RecordedComponent]
    failed: str = ""


@dataclass
class ComponentOutput:
    """A tensor that a component gave.

    Attributes:
        name: Number of the call and place, as in ``call 0 out[0]``.
        shape: Of the whole tensor.
        dtype: As in ``bfloat16``.
        values: All of them, or :data:`MOST_VALUES`: float64 of float64, float32 of other floats, else int64; one axis.
    """

    name: str
    shape: list[int]
    dtype: str
    values: NDArray[Any]


@dataclass
class ComponentRun:
    """What a component gave alone.

    Attributes:
        outputs: Of all calls; empty where it did not run.
        missing: Whether the pipeline has no such component.
        why: Why it did not run; empty where it did.
    """

    outputs: list[ComponentOutput] = field(default_factory=list)
    missing: bool = False
    why: str = ""
