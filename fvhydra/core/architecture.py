# SPDX-License-Identifier: Apache-2.0
"""Published architectures: the full-size components of models as data, ``conf/architectures/<name>.json``.

With them a model is built with random weights: no download, no token, no licence.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fvhydra.config.model import ModelConfig
from fvhydra.config.schema import conf_dir
from fvhydra.core import files, untrusted
from fvhydra.core.errors import UsageError

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class Component:
    """A part of a pipeline.

    Attributes:
        class_name: Its class.
        library: ``diffusers`` or ``transformers``.
        module: Where in it the class is; empty: at its top.
        config: The published configuration.
        config_class: What holds it, of transformers.
        part_config_classes: The same for parts of the configuration, by their keys.
        parameters: How many it has, tied ones once.
        confidence: How sure it is that this is what was published.
        sources: Where it was read: repository, commit, file.
        published_dtype: What its weights are published in.
    """

    class_name: str
    library: str
    config: dict[str, Any]
    parameters: int
    confidence: str
    sources: list[str]
    module: str = ""
    config_class: str = ""
    part_config_classes: dict[str, str] = field(default_factory=dict)
    published_dtype: str | None = None
    published_dtype_confidence: str | None = None


@dataclass(frozen=True)
class Architecture:
    """The components of a pipeline.

    Attributes:
        source: Where all of it was collected, and how it was checked.
        weights: Repository with weights of this architecture.
        parameters: Of all components together.
        pipeline_config: Further arguments of the pipeline's constructor.
        notes: What is worth knowing of it.
    """

    source: str
    weights: str
    parameters: int
    components: dict[str, Component]
    pipeline_config: dict[str, Any] = field(default_factory=dict)
    same_architecture_as: str | None = None
    notes: list[str] = field(default_factory=list)

    def weight_bytes(self, model: ModelConfig) -> dict[str, int]:
        """What the weights of each component take in the dtypes that the model is run in, bytes."""
        return {
            name: part.parameters * BYTES[model.component_dtypes.get(name, model.dtype)]
            for name, part in self.components.items()
            if part.parameters
        }


def architecture_of(model: ModelConfig) -> Architecture:
    """The architecture that ``model.architecture`` names.

    Raises:
        UsageError: There is none, or its file is damaged.
    """
    if model.architecture is None:
        raise UsageError(
            f"model={model.name} has no published architecture here, so it cannot be built with random weights.",
            "Name one with model.architecture=, or use tier=default for the real weights.",
        )
    path = _path(model.architecture)
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in path.parent.glob("*.json")))
        raise UsageError(
            f"model.architecture={model.architecture} is none of those in {path.parent}: {known}.",
            "Give the path of a .json file for one of your own.",
        )
    what = f"{path} is not an architecture"
    return untrusted.typed(Architecture, untrusted.read_json(path, "architecture"), what)


def _path(name: str) -> Path:
    given = files.given_path(name)
    return given if given.suffix == ".json" else conf_dir() / "architectures" / f"{name}.json"
