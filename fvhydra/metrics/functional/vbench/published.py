# SPDX-License-Identifier: Apache-2.0
"""Values that VBench's authors measured on four models, for comparison.

Source: Z. Huang et al., "VBench: Comprehensive Benchmark Suite for Video Generative Models", arXiv 2311.17982, table 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SOURCE = "arXiv 2311.17982, table 1"

_MODELS = ("LaVie", "ModelScope", "VideoCrafter-0.9", "CogVideo")
_PERCENT = {
    "subject_consistency": (91.41, 89.87, 86.24, 92.19),
    "background_consistency": (97.47, 95.29, 92.88, 96.20),
    "temporal_flickering": (98.30, 98.28, 97.60, 97.64),
    "motion_smoothness": (96.38, 95.79, 91.79, 96.47),
    "dynamic_degree": (49.72, 66.39, 89.72, 42.22),
    "aesthetic_quality": (54.94, 52.06, 44.41, 38.18),
    "imaging_quality": (61.90, 58.57, 57.22, 41.03),
    "object_class": (91.82, 82.25, 87.34, 73.40),
    "multiple_objects": (33.32, 38.98, 25.93, 18.11),
    "human_action": (96.80, 92.40, 93.00, 78.20),
    "color": (86.39, 81.72, 78.84, 79.57),
    "spatial_relationship": (34.09, 33.68, 36.74, 18.24),
    "scene": (52.69, 39.26, 43.36, 28.24),
    "appearance_style": (23.56, 23.39, 21.57, 22.01),
    "temporal_style": (25.93, 25.37, 25.42, 7.80),
    "overall_consistency": (26.41, 25.67, 25.21, 7.70),
}

COLUMNS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        model: MappingProxyType({dimension: values[column] / 100 for dimension, values in _PERCENT.items()})
        for column, model in enumerate(_MODELS)
    }
)
"""Model to value by dimension, on the scale of the metrics."""
