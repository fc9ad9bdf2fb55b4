# SPDX-License-Identifier: Apache-2.0
"""Folders to read from, wherever they are: on this machine, over SFTP, or at any address that fsspec knows.

What is read there was written by others. A place only reads, and bytes that it gives are data.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from fvhydra.config.secrets import without_user_info
from fvhydra.core import extras
from fvhydra.core.errors import InfrastructureError, UsageError
from fvhydra.core.files import given_path

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*(::[a-z0-9+.:-]+)?://", re.IGNORECASE)
_SFTP = ("sftp", "ssh")


class Unreachable(InfrastructureError):
    """The place does not answer now, and may do so again."""


@dataclass(frozen=True)
class Access:
    """How to get at a place.

    Attributes:
        port: Of an SSH server; None as the address, ``~/.ssh/config`` or 22 say.
        key_file: A private key; None for the agent, ``~/.ssh/config`` and the usual files.
        accept_new_host: Whether to go on with a server whose key nobody has seen. One that changed is always refused.
        timeout_s: Longest wait for an answer.
        options: What fsspec's file system of that address takes.
    """

    port: int | None = None
    key_file: str | None = None
    accept_new_host: bool = False
    timeout_s: float = 15.0
    options: Mapping[str, Any] = field(default_factory=dict)


class Place:
    """A folder somewhere. The connection is made when it is first needed, and again after it was lost.

    Args:
        address: A path of this machine, ``sftp://user@host/path`` (``/~/`` begins at the home folder there), or
            any other URL that fsspec knows.
        access: How to get at it.
    """

    def __init__(self, address: str, access: Access | None = None) -> None:
        self.address = without_user_info(address)
        """For messages."""
        self.is_here = _SCHEME.match(address) is None
        self._given, self._access = address, access or Access()
        self._fs: Any = None
        self._root = ""

    def folders(self, path: str = "") -> list[str]:
        """Names of the folders in ``path``, sorted; links are left out. Raises like :meth:`read`."""
        return [name for name, kind in self._listed(path) if kind == "directory"]

    def names(self, path: str = "") -> set[str]:
        """Names of everything in ``path``. Raises like :meth:`read`."""
        return {name for name, _ in self._listed(path)}

    def exists(self, path: str = "", absolute: bool = False) -> bool:
        """Whether there is anything at ``path``. Raises :class:`Unreachable`."""
        with self._answering():
            return bool(self._connected().exists(path if absolute else self._at(path)))

    def size(self, path: str) -> int | None:
        """Bytes of a file, None where there is none. Raises like :meth:`read`."""
        try:
            with self._answering():
                return int(self._connected().info(self._at(path))["size"] or 0)
        except FileNotFoundError:
            return None

    def read(self, path: str, start: int = 0, most_bytes: int = 2**20, absolute: bool = False) -> bytes | None:
        """At most ``most_bytes`` of a file from ``start``, None where there is none.

        Raises:
            Unreachable: There is no answer now.
            UsageError: It may not be read.
        """
        try:
            with self._answering(), self._connected().open(path if absolute else self._at(path), "rb") as stream:
                stream.seek(start)
                data: bytes = stream.read(most_bytes)
                return data
        except FileNotFoundError:
            return None

    def forget(self) -> None:
        """Keep nothing of what was seen, so that the next question is asked anew."""
        if self._fs is not None:
            self._fs.invalidate_cache()

    def close(self) -> None:
        """End the connection."""
        connection, self._fs = self._fs, None
        if (client := getattr(connection, "client", None)) is not None and hasattr(client, "close"):
            with contextlib.suppress(Exception):
                client.close()

    def _listed(self, path: str) -> list[tuple[str, str]]:
        try:
            with self._answering():
                found = self._connected().ls(self._at(path), detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
        kinds = (("link" if entry.get("islink") else entry["type"], entry["name"]) for entry in found)
        return sorted((name.rstrip("/").rpartition("/")[2], kind) for kind, name in kinds)

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}".rstrip("/") or "/"

    def _connected(self) -> Any:
        if self._fs is None:
            self._fs, root = self._open()
            self._root = root.rstrip("/")
        return self._fs

    def _open(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        if self.is_here:
            here: tuple[Any, str] = url_to_fs(str(given_path(self._given).absolute()))
            return here
        scheme = self._given.partition("://")[0].lower()
        if scheme in _SFTP:
            extras.require(f"from={self.address}", ["paramiko"])
            from fvhydra.core.sftp import connect

            parts = urlsplit(self._given)
            if not parts.hostname:
                raise UsageError(f"from={self.address} names no host.", "Say it as from=sftp://user@host/path.")
            path = unquote(parts.path)
            home = path.startswith("/~/") or path == "/~"
            return connect(parts, self._access), path[3:] or "." if home else path
        try:
            found: tuple[Any, str] = url_to_fs(self._given, skip_instance_cache=True, **self._access.options)
            return found
        except (ValueError, ImportError, TypeError) as error:
            raise UsageError(f"from={self.address} cannot be opened: {error}.") from error

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        """What a file system raises, sorted into what is not there, what is refused, and a place out of reach."""
        try:
            yield
        except (FileNotFoundError, NotADirectoryError, UsageError, Unreachable):
            raise
        except PermissionError as error:
            raise UsageError(f"{self.address} may not be read: {error.strerror or error}.") from error
        except Exception as error:  # each file system has its own: paramiko's, botocore's, aiohttp's
            self.close()
            raise Unreachable(f"{self.address} does not answer: {_said(error)}.") from error


def _said(error: Exception) -> str:
    first = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    return without_user_info(first)
