# SPDX-License-Identifier: Apache-2.0
"""What ``op=bench op.against=`` finds and what it makes up: a slowdown of 5 % in the DiT, and the same side twice.

python benchmarks/against.py [--engine mock|tiny] [--repeats 20] [--runs 10]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from timing import markdown

MOCK = "{{text_encoder_time_s: 0.02, dit_time_s: {dit}, vae_decode_time_s: 0.03}}"
DIT_S = 0.2
SLOWER = 1.05
TINY = '''
import time

import fvhydra.engines.diffusers

class Slowed(fvhydra.engines.diffusers.DiffusersEngine):
    """Works in the DiT for so much longer."""

    def load(self, request, progress):
        super().load(request, progress)
        network = self._loaded.pipe.transformer
        forward = network.forward

        def longer(*args, **kwargs):
            start = time.perf_counter()
            found = forward(*args, **kwargs)
            end = time.perf_counter() + {slower} * (time.perf_counter() - start)
            while time.perf_counter() < end:
                pass
            return found

        network.forward = longer
'''


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=("mock", "tiny"), default="mock")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--runs", type=int, default=10)
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        words = _mock() if arguments.engine == "mock" else _tiny(folder)
        for name, both in words.items():
            claims: Counter[str] = Counter()
            ratios = []
            for _ in range(arguments.repeats):
                found = _compared(folder, arguments.runs, *both)
                claims.update(each["name"] for each in found if each["claim"])
                claims["any"] += any(each["claim"] for each in found)
                ratios += [each["ratio"] for each in found if each["name"] == "dit_time_s"]
            span = f"{min(ratios):.3f} to {max(ratios):.3f}"
            said = ", ".join(f"{key} {count}" for key, count in sorted(claims.items()) if key != "any" and count)
            rows.append((name, arguments.repeats, claims["any"], claims["dit_time_s"], span, said or "-"))
    print(f"{arguments.engine}, {arguments.runs} pairs of runs each")
    print(markdown(("sides", "trials", "with a claim", "DiT claimed", "ratio of the DiT", "claims"), rows))


def _mock() -> dict[str, tuple[str, ...]]:
    base = ("engine=mock", "model=wan21_t2v_1_3b")
    usual, slower = MOCK.format(dit=DIT_S), MOCK.format(dit=DIT_S * SLOWER)
    return {
        "the same": (*base, f"engine.options.component_s={usual}", "op.against={}"),
        "DiT 5 % slower": (
            *(*base, f"engine.options.component_s={slower}"),
            f"op.against={{engine.options.component_s: {usual}}}",
        ),
    }


def _tiny(folder: Path) -> dict[str, tuple[str, ...]]:
    for name, slower in (("usual", 0.0), ("slowed", SLOWER - 1)):
        (folder / name).mkdir()
        (folder / name / "slowed_engine.py").write_text(TINY.replace("{slower}", str(slower)))
    base = ("model=wan21_t2v_1_3b", "engine._target_=slowed_engine.Slowed", "sampling.num_inference_steps=8")
    usual = f"op.against={{engine.path: {folder / 'usual'}}}"
    return {
        "the same": (*base, f"engine.path={folder / 'usual'}", usual),
        "DiT 5 % slower": (*base, f"engine.path={folder / 'slowed'}", usual),
    }


def _compared(folder: Path, runs: int, *words: str) -> list[dict[str, object]]:
    command = [sys.executable, "-m", "fvhydra", "op=bench", "prompt_index=0", f"op.runs={runs}", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stdout + done.stderr)
    found: list[dict[str, object]] = json.loads((folder / "outputs" / "latest" / "result.json").read_text())["ratios"]
    return found


if __name__ == "__main__":
    main()
