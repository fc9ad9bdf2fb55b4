# SPDX-License-Identifier: Apache-2.0
"""The Fréchet distance of two sets of features, from the features to the value, on one thread.

python benchmarks/frechet.py

Against the usual way (covariances with 1e-6 on their diagonals, ``scipy.linalg.sqrtm``), and against singular values in
float64, which are what both approximate. Times are CPU seconds of the computation alone, without imports.
"""

from __future__ import annotations

import sys
import time

from timing import Timing, markdown, whole_process

CASES = ((400, 256), (768, 256), (1024, 256), (1024, 2048), (2048, 256), (2048, 2048), (2048, 4096))
"""Features, and samples on each side: I3D, VideoMAE, and the widths of audio and image networks."""

REPEATS = 3


def features(width: int, count: int, seed: int):
    """As networks give them: correlated, with variances that fall off, in float32."""
    import numpy as np

    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(99).standard_normal((width, width)) / width**0.5
    scale = 5 / (1 + np.arange(width)) ** 0.7
    return ((rng.standard_normal((count, width)) * scale) @ mix + 0.1 * seed).astype(np.float32)


def usual(generated, reference) -> float:
    """As FastVideo's evaluation."""
    import numpy as np
    from scipy.linalg import sqrtm

    shift = generated.mean(0) - reference.mean(0)
    a, b = (np.cov(side, rowvar=False) + 1e-6 * np.eye(side.shape[1]) for side in (generated, reference))
    return float(shift @ shift + np.trace(a + b - 2 * sqrtm(a @ b).real))


def ours(generated, reference) -> float:
    from fvhydra.metrics.functional.frechet import FeatureSet, frechet_distance

    sets = []
    for side in (generated, reference):
        found = FeatureSet(side.shape[1])
        for start in range(0, len(side), 64):  # as they come
            found.update(side[start : start + 64])
        sets.append(found)
    return frechet_distance(*sets)


def exact(generated, reference) -> float:
    import numpy as np

    a, b = (side.astype(np.float64) for side in (generated, reference))
    x, y = ((side - side.mean(0)) / np.sqrt(len(side) - 1) for side in (a, b))
    if len(x) > x.shape[1]:
        x, y = np.linalg.qr(x, mode="r"), np.linalg.qr(y, mode="r")
    overlap = np.linalg.svd(x @ y.T, compute_uv=False).sum()
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + (x**2).sum() + (y**2).sum() - 2 * overlap)


WAYS = {"usual": usual, "ours": ours, "exact": exact}


def measure(way: str, width: int, count: int) -> None:
    """Print seconds and value, in a process of its own."""
    sides = [features(width, count, seed) for seed in (1, 2)]
    small = [side[:4, :4] for side in sides]
    WAYS[way](*small)  # what is loaded or planned at the first call
    start = time.process_time()
    value = WAYS[way](*sides)
    print(time.process_time() - start, repr(value))


def main() -> None:
    rows = []
    for width, count in CASES:
        seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        values = {}
        for _ in range(REPEATS):
            one_thread = ["env", "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "MKL_NUM_THREADS=1", sys.executable]
            commands = {way: [*one_thread, __file__, way, str(width), str(count)] for way in WAYS}
            for way, argv in commands.items():
                timing = Timing()
                whole_process(argv, timing)
                taken, value = timing.output.split()
                seconds[way].append(float(taken))
                values[way] = float(value)
        errors = {way: abs(values[way] / values["exact"] - 1) for way in ("usual", "ours")}
        took = {way: sorted(found)[len(found) // 2] for way, found in seconds.items()}
        rows.append(
            (
                f"{width}, {count}",
                *(f"{1000 * took[way]:.0f}" for way in ("usual", "ours", "exact")),
                f"{took['usual'] / took['ours']:.0f}x",
                *(f"{errors[way]:.0e}" for way in ("usual", "ours")),
            )
        )
    header = ["D, N a side", "usual ms", "ours ms", "SVD ms", "quicker", "error of the usual", "error of ours"]
    print(markdown(header, rows))
    print("\nTargets: D = 2048: 300x at N = 256, 6x at N = 2048; error below 1e-9, relative.")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
