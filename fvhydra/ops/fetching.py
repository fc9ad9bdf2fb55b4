# SPDX-License-Identifier: Apache-2.0
"""Fetching weights into a Hugging Face cache: in parts, resumed where they broke off, held to their hashes.

huggingface_hub begins a file again whenever its download was interrupted. Here the parts of a large file are written
beside the blobs of the cache, with a journal of what has arrived; the whole file takes its place among the blobs, under
the lock that huggingface_hub takes, and huggingface_hub itself then names it in the snapshot.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fvhydra.core.errors import Corrupt, FvhydraError, InfrastructureError
from fvhydra.core.files import explained
from fvhydra.ops.weights import PART_BYTES, Listed, RemoteFile, arrived_parts, folder_of, journal_of

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_CONNECTIONS = 8
_SMALL_BYTES = 2**20
_BLOCK = 2**18
_HASHED = 2**22
_MOST_WRONG = 3
_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0


class Enough(Exception):
    """The time that was given is over; what has arrived is kept."""


@dataclass
class Fetch:
    """Fetches files into a cache, one after the other.

    Attributes:
        cache_dir: The Hugging Face cache.
        patience_s: For how long nothing at all may arrive.
        until: When to stop, on the monotonic clock.
        told: Hears how many bytes are here now, of all files; from any thread.
    """

    api: HfApi
    cache_dir: Path
    patience_s: float
    until: float = float("inf")
    told: Callable[[int], None] = lambda _: None
    here: int = 0
    """Bytes of the files before the current one."""
    _wrong: int = 0
    """How many files were not what the Hub lists, and were fetched again."""

    def fetch(self, listed: Listed) -> None:
        """Fetch what is missing of a source.

        Raises:
            Enough: The time is over.
            InfrastructureError: Nothing arrived for too long, or never what the Hub lists.
            UsageError: The disk is full, or may not be written.
        """
        self.here += listed.size - sum(file.size for file in listed.missing)
        for file in listed.missing:
            blob = folder_of(listed.source.repo, self.cache_dir) / "blobs" / file.blob
            if file.size > _SMALL_BYTES and not blob.exists():
                self._fetch_blob(listed, file, blob)
            self._name(listed, file)
            self.here += file.size
            self.told(self.here)

    def _fetch_blob(self, listed: Listed, file: RemoteFile, blob: Path) -> None:
        from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]  # public, but loaded lazily

        repo = listed.source.repo
        lock = self.cache_dir / ".locks" / blob.parent.parent.name / f"{blob.name}.lock"
        with explained(self.cache_dir):
            blob.parent.mkdir(parents=True, exist_ok=True)
            lock.parent.mkdir(parents=True, exist_ok=True)
            with WeakFileLock(lock):
                while not blob.exists():
                    parts = _Parts(self, repo, listed.commit, file, journal_of(repo, file, self.cache_dir))
                    parts.run()
                    digest = _digest(parts.path, file)
                    if digest != file.blob:
                        parts.forget()
                        self._count_wrong(repo, file, digest)
                        continue
                    Path(parts.path).replace(blob)
                    parts.forget()

    def _count_wrong(self, repo: str, file: RemoteFile, digest: str) -> None:
        self._wrong += 1
        if self._wrong > _MOST_WRONG:
            raise Corrupt(f"{repo} {file.path} is not what the Hub lists: its hash is {digest}.")

    def _name(self, listed: Listed, file: RemoteFile) -> None:
        """Have huggingface_hub put a blob into the snapshot; small files it fetches itself."""
        began, pause_s = time.monotonic(), _PAUSE_S
        while True:
            try:
                with explained(self.cache_dir):
                    revision = listed.source.revision or listed.commit
                    self.api.hf_hub_download(listed.source.repo, file.path, revision=revision, cache_dir=self.cache_dir)
                return
            except FvhydraError:
                raise
            except OSError as error:  # a connection, an answer of the Hub
                if time.monotonic() > self.until:
                    raise Enough from error
                if time.monotonic() - began > self.patience_s:
                    raise _stuck(listed.source.repo, file, error) from error
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


@dataclass
class _Parts:
    """The parts of one file on their way."""

    fetch: Fetch
    repo: str
    commit: str
    file: RemoteFile
    journal: Path
    arrived: dict[int, int] = field(default_factory=dict)
    """Bytes of each part, from its beginning."""
    moved: float = field(default_factory=time.monotonic)
    failure: BaseException | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _place: str = ""

    @property
    def path(self) -> Path:
        return self.journal.with_suffix(".incomplete")

    def run(self) -> None:
        """Fetch all parts that are missing."""
        self.arrived = arrived_parts(self.journal, self.path, self.file.size)
        with open(self.path, "ab"):
            pass
        waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        missing = [part for part in range(-(-self.file.size // PART_BYTES)) if self._left(part)]
        for part in missing:
            waiting.put(part)
        over = threading.Event()
        threads = [
            threading.Thread(target=self._work, args=(waiting, over), daemon=True)
            for _ in range(min(_CONNECTIONS, len(missing)))
        ]
        for thread in threads:
            thread.start()
        try:
            while any(thread.is_alive() for thread in threads):
                time.sleep(0.05)
                self._tell()
                if time.monotonic() > self.fetch.until:
                    raise Enough
                silent_s = time.monotonic() - self.moved
                if self.failure and (_is_final(self.failure) or silent_s > self.fetch.patience_s):
                    raise _stuck(self.repo, self.file, self.failure) from self.failure
        finally:
            over.set()
            for thread in threads:
                thread.join()
            self._tell()
        if self.failure and any(self._left(part) for part in missing):
            raise _stuck(self.repo, self.file, self.failure) from self.failure

    def forget(self) -> None:
        """Take away what is no longer needed."""
        for path in (self.path, self.journal):
            path.unlink(missing_ok=True)

    def _tell(self) -> None:
        self.fetch.told(self.fetch.here + sum(self.arrived.values()))

    def _left(self, part: int) -> int:
        size = min(PART_BYTES, self.file.size - part * PART_BYTES)
        return size - self.arrived.get(part, 0)

    def _work(self, waiting: queue.SimpleQueue[int], over: threading.Event) -> None:
        pause_s = _PAUSE_S
        while not over.is_set():
            try:
                part = waiting.get_nowait()
            except queue.Empty:
                return
            while self._left(part) and not over.is_set():
                before = self.arrived.get(part, 0)
                try:
                    self._read(part, over)
                except Exception as error:
                    self.failure = error
                    if _is_final(error):
                        return
                    self._place = ""  # an address that was signed may have run out
                    over.wait(pause_s)
                    pause_s = _PAUSE_S if self.arrived.get(part, 0) > before else min(2 * pause_s, _LONGEST_PAUSE_S)
                finally:
                    self._note(part)

    def _read(self, part: int, over: threading.Event) -> None:
        """Read on where a part stopped, until it is whole or the connection is not."""
        from huggingface_hub import get_session
        from huggingface_hub.utils import hf_raise_for_status  # type: ignore[attr-defined]

        begin = part * PART_BYTES + self.arrived.get(part, 0)
        end = begin + self._left(part)
        url, headers = self._address()
        asked = headers | {"Range": f"bytes={begin}-{end - 1}", "Accept-Encoding": "identity"}
        with get_session().stream("GET", url, headers=asked) as answer, open(self.path, "r+b") as out:
            if answer.status_code >= 400:
                answer.read()
            hf_raise_for_status(answer)
            starts = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
            at = int(starts) if answer.status_code == 206 and starts.isdecimal() else 0
            for block in answer.iter_bytes(_BLOCK):
                data = block[max(begin - at, 0) : max(end - at, 0)]
                at += len(block)
                if data:
                    out.seek(begin)
                    out.write(data)
                    begin += len(data)
                    self.arrived[part] = begin - part * PART_BYTES
                    self.moved = time.monotonic()
                if begin >= end or over.is_set():
                    return
        if begin < end:
            raise ConnectionError(f"{end - begin:,} bytes of a part did not arrive")

    def _address(self) -> tuple[str, dict[str, str]]:
        """Where the bytes are, asked of the Hub once, and the headers that may be sent there."""
        from huggingface_hub import get_hf_file_metadata, hf_hub_url

        api = self.fetch.api
        with self._lock:
            url = hf_hub_url(self.repo, self.file.path, revision=self.commit, endpoint=api.endpoint)
            if not self._place:
                self._place = get_hf_file_metadata(url, token=api.token).location
            headers: dict[str, Any] = api._build_hf_headers() if _host(self._place) == _host(url) else {}
            return self._place, headers

    def _note(self, part: int) -> None:
        with self._lock, contextlib.suppress(OSError), open(self.journal, "ab") as journal:
            journal.write(f"{part} {self.arrived.get(part, 0)}\n".encode())


def _host(url: str) -> str:
    return urlsplit(url).netloc


def _is_final(error: BaseException) -> bool:
    """Whether trying again is of no use: a full disk, or what is already said in a sentence."""
    of_the_disk = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)
    return isinstance(error, FvhydraError) or of_the_disk


def _stuck(repo: str, file: RemoteFile, error: BaseException) -> BaseException:
    if _is_final(error):
        return error
    first = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    hint = "What has arrived is kept; the same command goes on from there."
    return InfrastructureError(f"{repo} {file.path} does not come on: {first}.", hint)


def _digest(path: Path, file: RemoteFile) -> str:
    """The hash of a file as the Hub counts: SHA-256 of large ones, git's of others."""
    large = file.digest.startswith("sha256:")
    digest = hashlib.sha256() if large else hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
    with open(path, "rb") as stream:
        while block := stream.read(_HASHED):
            digest.update(block)
    return digest.hexdigest()
