# SPDX-License-Identifier: Apache-2.0
"""What the engine adds to a generation: ``DiffusersEngine.generate`` against the same library call made by hand.

One process, the same loaded tiny LTX-2, enough steps that a call takes some 20 s, both in turn.

    python benchmarks/wrapping.py
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

TARGET_PERCENT = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20, help="how long one call should take")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), arguments.repeats, arguments.seconds)


def measure(folder: Path, repeats: int, seconds: float) -> None:
    import torch

    from fvhydra.core.progress import Silent

    case, engine = loaded(folder, steps=10)
    engine.generate(case, Silent())  # the first call loads what the others find loaded
    start = time.perf_counter()
    engine.generate(case, Silent())
    steps = max(10, round(10 * seconds / (time.perf_counter() - start)))
    case, engine = loaded(folder, steps)
    media = engine.generate(case, Silent())  # warm-up, and the arguments that the call by hand is made with
    pipe = engine._loaded.pipe

    def by_hand() -> None:
        pipe(**media.arguments, generator=torch.Generator("cpu").manual_seed(case.seed))

    def wrapped() -> None:
        engine.generate(case, Silent())

    by_hand()
    samples: dict[Any, list[float]] = {by_hand: [], wrapped: []}
    for _ in range(repeats):
        for way, walls in samples.items():
            start = time.perf_counter()
            way()
            walls.append(time.perf_counter() - start)
    hand, ours = median(samples[by_hand]), median(samples[wrapped])
    ratios = [b / a for a, b in zip(samples[by_hand], samples[wrapped], strict=True)]
    print(f"Tiny LTX-2, {steps} steps, medians of {repeats} calls in turn")
    print(f"by hand {hand:.2f} s, through the engine {ours:.2f} s")
    print(
        f"overhead: {100 * (median(ratios) - 1):+.2f} % (pairs: {', '.join(f'{100 * (r - 1):+.2f} %' for r in ratios)})"
    )
    print(f"Target: at most {TARGET_PERCENT} %")


def loaded(folder: Path, steps: int) -> tuple[Any, Any]:
    """The one case of ``model=ltx2`` with that many steps, and an engine that has loaded it."""
    from hydra import compose, initialize_config_dir
    from hydra.core.config_store import ConfigStore

    from fvhydra.config.load import build_config
    from fvhydra.config.schema import conf_dir, register
    from fvhydra.core.progress import Silent
    from fvhydra.engines.base import LoadRequest
    from fvhydra.engines.choice import open_engine
    from fvhydra.ops.context import Prepared

    register()
    ConfigStore.instance().store(group="hydra/launcher", name="fvhydra", node={})
    ConfigStore.instance().store(group="hydra/sweeper", name="fvhydra", node={})
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        config = build_config(compose("config", overrides=["model=ltx2", f"sampling.num_inference_steps={steps}"]))
    request = LoadRequest(config.model, config.sampling, config.backend, config.tier, config.gpu, folder)
    engine = open_engine(config.engine, folder / "stdout.log")
    engine.load(request, Silent())
    [case] = Prepared(config).cases
    return case, engine


if __name__ == "__main__":
    main()
