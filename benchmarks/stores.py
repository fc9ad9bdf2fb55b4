# SPDX-License-Identifier: Apache-2.0
"""Stores: requests to the Hub for a look-up and for a publish, and local commits against git.

The Hub is the server of the tests on this machine, so what counts is the number of requests, not the seconds: over a
real network each takes some 100 ms more. The usual way to look up references is ``snapshot_download``; the usual way to
keep small results in git is to add and commit each as it comes.

    python benchmarks/stores.py
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from timing import markdown

sys.path.append(str(Path(__file__).resolve().parent.parent))  # for the server of the tests

if TYPE_CHECKING:
    from fvhydra.stores.base import Store
    from tests.servers.hub import HubServer

REFERENCES, CHANGED, PUBLISHED, RECORDS = 200, 2, 50, 1000
FOLDERS = (
    "reference_videos/default/L40S_reference_videos/model/FLASH_ATTN",
    "L40S_reference_videos/model/FLASH_ATTN",
)
TARGET_REQUESTS, TARGET_RATIO = 5, 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=RECORDS, help="small files of the local comparison")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        hub(Path(folder))
        print()
        local(Path(folder), arguments.records)


def hub(folder: Path) -> None:
    from tests.contracts.store_sites import hub_config, open_store
    from tests.servers.hub import HubServer

    with HubServer() as server:
        repo = server.create("alice/refs")
        rows: list[tuple[object, ...]] = []

        def measure(name: str, work: Callable[[], object]) -> None:
            server.requests.clear()
            before, start = len(repo.commits), time.perf_counter()
            work()
            wall_s = time.perf_counter() - start
            moved = [request for request in server.requests if request.path.startswith("/cdn/")]
            rows.append(
                (name, len(server.requests) - len(moved), len(moved), len(repo.commits) - before, f"{wall_s:.2f}")
            )

        def store() -> Store:
            return open_store(hub_config(server, "alice/refs", folder / "cache"))

        def references(count: int, version: int) -> dict[str, bytes]:
            return {f"{FOLDERS[0]}/prompt {number}.pt": b"%d %d\0" % (number, version) for number in range(count)}

        store().commit(references(REFERENCES, 0), message="references")
        measure(f"first look-up of {REFERENCES} references", lambda: look_up(store(), folder / "first"))
        measure("the same again, nothing changed", lambda: look_up(store(), folder / "second"))
        usual(server, folder)
        store().commit(references(CHANGED, 1), message="changed")
        measure(f"{CHANGED} of {REFERENCES} changed", lambda: look_up(store(), folder / "third"))
        measure(f"{CHANGED} of {REFERENCES} changed, usual way", lambda: usual(server, folder))
        new = {f"drafts/{path}": data for path, data in references(PUBLISHED, 2).items()}
        measure(f"publishing {PUBLISHED} files", lambda: store().commit(new, must_be_absent=True, message="new"))

    print(markdown(["on the Hub", "requests to the Hub", "files up or down", "commits", "wall s"], rows))
    print(f"\nTarget: at most {TARGET_REQUESTS} requests and {CHANGED} downloads when {CHANGED} changed; 1 commit")


def look_up(store: Store, folder: Path) -> None:
    """What a check does: list the folders that may hold references, and have each reference in a new run folder."""
    revision = store.head()
    for prefix in FOLDERS:
        for path in store.files(prefix, revision):
            store.fetch([path], folder, revision)


def usual(server: HubServer, folder: Path) -> None:
    """What a script does."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import disable_progress_bars

    from tests.servers.hub import ALICE

    disable_progress_bars()
    snapshot_download(
        "alice/refs",
        repo_type="dataset",
        allow_patterns=[f"{FOLDERS[0]}/*"],
        endpoint=server.url,
        token=ALICE,
        cache_dir=folder / "usual",
    )


def local(folder: Path, count: int) -> None:
    from fvhydra.config.store import LocalStoreConfig
    from fvhydra.stores.local import LocalStore

    records = {f"records/{number}.json": b'{"latency": %d}' % number for number in range(count)}

    def store(name: str) -> Store:
        return LocalStore(LocalStoreConfig(_target_="", name="local", path=str(folder / name)))

    def one_by_one() -> None:
        single = store("single")
        for path, data in records.items():
            single.commit({path: data}, message="record")

    git_s = timed(lambda: git_commits(folder / "git", records))
    whole_s = timed(lambda: store("whole").commit(records, message="records"))
    single_s = timed(one_by_one)
    rows = [
        (f"{count} x git add, git commit", f"{git_s:.2f}", ""),
        (f"local store, one commit of {count} files", f"{whole_s:.2f}", f"{git_s / whole_s:.0f}x"),
        ("local store, a commit each", f"{single_s:.2f}", f"{git_s / single_s:.1f}x"),
    ]
    print(markdown([f"{count} small files", "wall s", "git / this"], rows))
    print(f"\nTarget: {TARGET_RATIO}x for what is published at once. {os.cpu_count()} CPUs.")


def git_commits(folder: Path, records: dict[str, bytes]) -> None:
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.invalid", "-c", "gc.auto=0"]
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    for path, data in records.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
        subprocess.run(["git", "-C", folder, "add", path], check=True)
        subprocess.run(["git", *identity, "-C", folder, "commit", "--quiet", "-m", "record"], check=True)


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
