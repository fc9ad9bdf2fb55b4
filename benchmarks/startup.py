# SPDX-License-Identifier: Apache-2.0
"""Start-up: ``--help`` and ``--cfg job`` against a bare Hydra compose of the same groups, whole cold processes in turn.

python benchmarks/startup.py
"""

from __future__ import annotations

import sys

from timing import interleaved, markdown

TARGET = 2
REPEATS = 9

BARE = """
import hydra
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf
from fvhydra.config.schema import conf_dir, register
register()
ConfigStore.instance().store(group="hydra/launcher", name="fvhydra", node={})
ConfigStore.instance().store(group="hydra/sweeper", name="fvhydra", node={})
with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
    print(OmegaConf.to_yaml(hydra.compose("config", overrides=["model=ltx2"])))
"""


def main() -> None:
    python = sys.executable
    timings = interleaved(
        {
            "bare compose": [python, "-c", BARE],
            "--help": [python, "-m", "fvhydra", "--help"],
            "--cfg job": [python, "-m", "fvhydra", "model=ltx2", "--cfg", "job"],
        },
        REPEATS,
    )
    base = timings["bare compose"].wall_s
    rows = [
        (name, f"{timing.wall_s:.2f}", f"{timing.peak_mb:.0f}", f"{timing.wall_s / base:.2f}x")
        for name, timing in timings.items()
    ]
    print(markdown(["command", "wall s", "peak MB", "against a bare compose"], rows))
    print(f"\nTarget: at most {TARGET}x. Medians of {REPEATS} runs in turn.")


if __name__ == "__main__":
    main()
