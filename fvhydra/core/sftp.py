# SPDX-License-Identifier: Apache-2.0
"""A connection to an SSH server, for reading files there: as ``~/.ssh/config`` says, and only to a known host."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote

import paramiko
from fsspec.implementations.sftp import SFTPFileSystem

from fvhydra.core.errors import UsageError
from fvhydra.core.files import given_path

if TYPE_CHECKING:
    from fvhydra.core.places import Access

_KEEP_ALIVE_S = 5


class _UnknownHost(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]  # paramiko has no types
    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        raise UsageError(
            f"The host key of {hostname} is not among the known ones ({key.get_name()} {key.fingerprint}).",
            "Connect once with `ssh` and compare, or say op.accept_new_host=true.",
        )


class _AnyNewHost(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]
    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None: ...


class _KnownHosts(SFTPFileSystem):  # type: ignore[misc]  # fsspec has no types
    """fsspec's file system, which by itself would take any host for the right one, and wait for an answer for ever."""

    cachable = False

    def __init__(self, host: str, access: Access, **settings: Any) -> None:
        self._access = access
        super().__init__(host, **settings)

    def _connect(self) -> None:
        limit_s = self._access.timeout_s
        self.client = paramiko.SSHClient()
        self.client.load_system_host_keys()
        self.client.set_missing_host_key_policy(_AnyNewHost() if self._access.accept_new_host else _UnknownHost())
        limits = dict.fromkeys(("timeout", "banner_timeout", "auth_timeout", "channel_timeout"), limit_s)
        try:
            self.client.connect(self.host, **self.ssh_kwargs, **limits)
            self.ftp = self.client.open_sftp()
        except BaseException:
            self.client.close()
            raise
        self.ftp.get_channel().settimeout(limit_s)
        self.client.get_transport().set_keepalive(_KEEP_ALIVE_S)


def connect(address: SplitResult, access: Access) -> SFTPFileSystem:
    """Connect to the host of an address.

    Raises:
        UsageError: It does not let this person in, or is not the host that it was.
        OSError, paramiko.SSHException, EOFError: It does not answer.
    """
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # what it says of threads of its own is no news here
    host = address.hostname or ""
    configured = _configured(host)
    settings: dict[str, Any] = {
        "port": access.port or address.port or int(configured.get("port", 22)),
        "username": unquote(address.username or "") or configured.get("user"),
        "password": unquote(address.password or "") or None,
    }
    if access.key_file is not None:
        settings |= {"key_filename": str(given_path(access.key_file)), "look_for_keys": False, "allow_agent": False}
        if not given_path(access.key_file).is_file():
            raise UsageError(f"op.key_file={access.key_file} is no file.")
    elif "identityfile" in configured:
        settings["key_filename"] = [name for name in configured["identityfile"] if Path(name).is_file()]
    who = f"{settings['username'] or 'this user'}@{host} port {settings['port']}"
    try:
        return _KnownHosts(configured.get("hostname", host), access, **settings)
    except paramiko.BadHostKeyException as error:
        raise UsageError(
            f"The host key of {host} is not the one that is known: another machine, or somebody in between.",
            f"If the machine was set up anew: ssh-keygen -R '[{host}]:{settings['port']}'",
        ) from error
    except (paramiko.AuthenticationException, paramiko.PasswordRequiredException) as error:
        raise UsageError(
            f"{who} does not let this key in ({error}).", "Name the right one: op.key_file=~/.ssh/<private key>."
        ) from error


def _configured(host: str) -> dict[str, Any]:
    """What ``~/.ssh/config`` says of a host."""
    path = Path("~/.ssh/config").expanduser()
    with contextlib.suppress(OSError, paramiko.ConfigParseError):
        return dict(paramiko.SSHConfig.from_path(str(path)).lookup(host))
    return {}
