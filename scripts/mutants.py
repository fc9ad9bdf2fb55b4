# SPDX-License-Identifier: Apache-2.0
"""Count the mutations of the code that its unit tests do not notice: `make mutants`, `make mutants ARGS=core`.

Each package has a folder in `mutants/`, made anew, where mutmut changes one thing at a time (a number, a comparison,
an argument, a text) and runs those unit tests of the package that call the function. A mutation survives when none of
them fails, or none calls the function. In that folder `../../.venv/bin/mutmut results` lists the survivors, and
`../../.venv/bin/mutmut show NAME` shows one. Some change nothing that a caller could see; the others miss a test.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "mutants"

# package: the modules that are changed, and the tests that must notice
PACKAGES = {
    "core": ("fvhydra/core/*.py", ["tests/core"]),
    "review": ("fvhydra/review/*.py", ["tests/review"]),
    "similarity": ("fvhydra/similarity/*.py", ["tests/similarity"]),
    "evaluation/gate": ("fvhydra/evaluation/gate.py", ["tests/evaluation/test_gate.py"]),
    "stores/local": (
        "fvhydra/stores/local/*.py",
        [
            *("tests/stores/test_local.py", "tests/stores/test_hostile_local.py", "tests/stores/test_verification.py"),
            "tests/contracts/test_stores.py::TestLocal",
        ],
    ),
    # without the tests of whole commands, which would take a day
    "config": ("fvhydra/config/*.py", ["tests/config", "--ignore=tests/config/test_config_dir.py"]),
}
ALLOWED = 10.0  # per cent of survivors

SETTINGS = """
[tool.mutmut]
source_paths = ["fvhydra"]
only_mutate = [{modules}]
also_copy = ["conf", "docs", "README.md"]
pytest_add_cli_args_test_selection = {tests}
pytest_add_cli_args = ["-q", "-x", "-p", "no:cacheprovider", "--without-slow"]
"""


def prepare(package: str) -> Path:
    """Make the folder that mutmut works in: links to our files, and our settings with its own added."""
    modules, tests = PACKAGES[package]
    folder = FOLDER / package.replace("/", "_")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "mutants").mkdir(parents=True)  # Python remembers of a folder on its path that it was not there
    for name in ("fvhydra", "tests", "conf", "docs", "README.md"):
        (folder / name).symlink_to(ROOT / name)
    settings = SETTINGS.format(modules=json.dumps(modules), tests=json.dumps(tests))
    (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text() + settings)
    return folder


def mutate(package: str, children: int) -> dict[str, int]:
    """Run mutmut over a package.

    Returns:
        How many mutants there are by what became of them: `total`, `killed`, `survived`, `no_tests`, `timeout`, ...
    """
    folder = prepare(package)
    # before our own folder, for the processes that tests start; mutmut itself does not start from there
    environment = os.environ | {"PYTHONPATH": str(folder / "mutants")}
    log = folder / "mutmut.log"
    with open(log, "w") as out:
        for command in (["run", "--max-children", str(children)], ["export-cicd-stats"]):
            done = subprocess.run(
                [sys.executable, "-m", "mutmut", *command], cwd=folder, env=environment, stdout=out, stderr=out
            )
            if done.returncode:
                raise SystemExit(f"mutmut {command[0]} ended with {done.returncode} on {package}; see {log}")
    counts: dict[str, int] = json.loads((folder / "mutants/mutmut-cicd-stats.json").read_text())
    return counts


def main(packages: list[str]) -> int:
    """Print a line for each package.

    Returns:
        1 when in one of them more mutants survive than allowed, 2 for a package that is none of ours.
    """
    if unknown := set(packages) - PACKAGES.keys():
        print(f"no such package: {', '.join(sorted(unknown))}; there are {', '.join(PACKAGES)}", file=sys.stderr)
        return 2
    code = 0
    print(f"{'package':16} {'mutants':>8} {'killed':>8} {'survived':>8} {'per cent':>8}")
    for package in packages or PACKAGES:
        counts = mutate(package, os.cpu_count() or 1)
        survived = counts["survived"] + counts["no_tests"]
        share = 100 * survived / max(counts["total"], 1)
        code = max(code, int(share >= ALLOWED))
        print(f"{package:16} {counts['total']:8} {counts['total'] - survived:8} {survived:8} {share:8.1f}", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
