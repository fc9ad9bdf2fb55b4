# SPDX-License-Identifier: Apache-2.0
"""What ``op=bench op.against=`` finds and what it makes up: a slowdown of 5 % in the DiT, and the same side twice.

python benchmarks/against.py [--engine mock|tiny] [--sides both|same|slower] [--repeats 20] [--runs 10]

``mock`` sleeps for longer; ``tiny`` is a diffusers pipeline with small weights whose DiT makes one pass in 20
twice.
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
EVERY = 20
"""One pass in so many is made twice: 5 % more work, spread over the generation."""
STEPS = 20
"""With guidance two passes each: a multiple of :data:`EVERY`."""
TINY = '''
import fvhydra.engines.diffusers

class Slowed(fvhydra.engines.diffusers.DiffusersEngine):
    """Makes one pass of the DiT in {every} twice; 0: none."""

    def load(self, request, progress):
        super().load(request, progress)
        network, passes, every = self._loaded.pipe.transformer, 0, {every}
        forward = network.forward

        def repeated(*args, **kwargs):
            nonlocal passes
            passes += 1
            if every and passes % every == 0:
                forward(*args, **kwargs)
            return forward(*args, **kwargs)

        network.forward = repeated
'''
SAME, SLOWER = "the same", "DiT 5 % slower"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=("mock", "tiny"), default="mock")
    parser.add_argument("--sides", choices=("both", "same", "slower"), default="both")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--runs", type=int, default=10)
    arguments = parser.parse_args()
    wanted = {"both": (SAME, SLOWER), "same": (SAME,), "slower": (SLOWER,)}[arguments.sides]
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        words = _mock() if arguments.engine == "mock" else _tiny(folder)
        for name in wanted:
            claims: Counter[str] = Counter()
            ratios = []
            for _ in range(arguments.repeats):
                found = _compared(folder, arguments.runs, *words[name])
                claims.update(f"{each['name']} {each['claim']}" for each in found if each["claim"])
                claims["any"] += any(each["claim"] for each in found)
                ratios += [each["ratio"] for each in found if each["name"] == "dit_time_s"]
            span = f"{min(ratios):.3f} to {max(ratios):.3f}"
            said = ", ".join(f"{key} {count}" for key, count in sorted(claims.items()) if key != "any" and count)
            rows.append((name, arguments.repeats, claims["any"], claims["dit_time_s worse"], span, said or "-"))
    print(f"{arguments.engine}, {arguments.runs} pairs of runs each")
    columns = ("sides", "trials", "with a claim", "DiT found slower", "ratio of the DiT", "claims")
    print(markdown(columns, rows))


def _mock() -> dict[str, tuple[str, ...]]:
    base = ("engine=mock", "model=wan21_t2v_1_3b")
    usual, slower = MOCK.format(dit=DIT_S), MOCK.format(dit=DIT_S * (1 + 1 / EVERY))
    return {
        SAME: (*base, f"engine.options.component_s={usual}", "op.against={}"),
        SLOWER: (
            *(*base, f"engine.options.component_s={slower}"),
            f"op.against={{engine.options.component_s: {usual}}}",
        ),
    }


def _tiny(folder: Path) -> dict[str, tuple[str, ...]]:
    for name, every in (("usual", 0), ("slowed", EVERY)):
        (folder / name).mkdir()
        (folder / name / "slowed_engine.py").write_text(TINY.replace("{every}", str(every)))
    base = ("model=wan21_t2v_1_3b", "engine._target_=slowed_engine.Slowed", f"sampling.num_inference_steps={STEPS}")
    # few frames leave most of the time to the DiT; a second thread would wait for whatever else runs
    base = (*base, "sampling.num_frames=1", "engine.env={OMP_NUM_THREADS: '1'}", "runtime.threads=1")
    usual = f"op.against={{engine.path: {folder / 'usual'}}}"
    return {
        SAME: (*base, f"engine.path={folder / 'usual'}", usual),
        SLOWER: (*base, f"engine.path={folder / 'slowed'}", usual),
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
