# SPDX-License-Identifier: Apache-2.0
"""Artifacts of a CI, fetched from the addresses that a person gave: bounded, over http or https, the token nowhere."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from fvhydra.config.secrets import without_user_info
from fvhydra.core.errors import InfrastructureError, UsageError
from fvhydra.core.files import write_bytes
from fvhydra.performance.names import sanitized

ARTIFACT_BYTES = 16 * 2**20
"""Largest artifact that is fetched; a record has a few thousand bytes."""

TOKEN_VARIABLE = "PERF_ARTIFACT_TOKEN"
"""Environment variable with what the CI wants as ``Authorization: Bearer``; sent to the address given and no other."""

_NO_ADDRESS = re.compile(r"[\s\x00-\x1f\x7f]")
_TIMEOUT_S = 30.0
_REDIRECTS = 5
_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
_LOGIN = (401, 403, 407)


def is_address(given: str) -> bool:
    """Whether a source is an address rather than a path."""
    return given.startswith(("http://", "https://"))


def refuse_no_address(given: str) -> None:
    """Refuse what begins as an address and is none.

    Raises:
        UsageError: It has no host, or characters that no address has.
    """
    try:
        host = urlsplit(given).hostname
    except ValueError:
        host = None
    if not host or _NO_ADDRESS.search(given):
        raise UsageError(f"{public_address(given)} is no address, such as https://ci.example/normalized_perf_a.json.")


def public_address(address: str) -> str:
    """An address as it may be written down: without user, password, query and fragment, which may hold a signature.

    Example:
        >>> public_address("https://ada:secret@ci.example/builds/7/perf.json?signature=abc#top")
        'https://ci.example/builds/7/perf.json'
    """
    return without_user_info(address).partition("?")[0].partition("#")[0]


def download(address: str, folder: Path, name: str) -> Path:
    """Fetch an artifact.

    Args:
        address: ``http`` or ``https``; it may redirect.
        folder: Where it goes; made if need be.
        name: Comes before the artifact's own name, which tells nobody else's apart.

    Raises:
        UsageError: It is not there, wants a login, answers with a page, or is larger than :data:`ARTIFACT_BYTES`.
        InfrastructureError: The server cannot be reached, or fails.
    """
    import httpx2

    shown = public_address(address)
    try:
        with (
            httpx2.Client(follow_redirects=True, max_redirects=_REDIRECTS, timeout=_TIMEOUT_S) as client,
            client.stream("GET", address, headers=_headers(address)) as answer,
        ):
            _refuse_answer(answer.status_code, answer.headers.get("content-type", ""), shown)
            content = bytearray()
            for block in answer.iter_bytes():
                content += block
                if len(content) > ARTIFACT_BYTES:
                    raise UsageError(f"{shown} has more than {ARTIFACT_BYTES:,} bytes, the most that are fetched.")
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        # its own message may repeat the address, whole
        raise InfrastructureError(
            f"{shown} cannot be fetched ({type(error).__name__}).", "Try again, or download it and give its path."
        ) from None
    path = folder / f"{name}_{sanitized(urlsplit(shown).path.rpartition('/')[2])}"
    write_bytes(path, bytes(content))
    return path


def _headers(address: str) -> dict[str, str]:
    """The token, where one is set, if nobody on the way can read it."""
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    parts = urlsplit(address)
    safe = parts.scheme == "https" or parts.hostname in _THIS_MACHINE
    return {"Authorization": f"Bearer {token}"} if token and safe else {}


def _refuse_answer(status: int, content_type: str, shown: str) -> None:
    login = f"Set {TOKEN_VARIABLE} to a token of that CI, or download it while logged in and give its path."
    if status in _LOGIN:
        raise UsageError(f"{shown} wants a login (HTTP {status}).", login)
    if status >= 500:
        raise InfrastructureError(f"{shown} cannot be fetched (HTTP {status}).", "Try again later.")
    if status != 200:
        raise UsageError(f"{shown} is not there (HTTP {status}).", "Look at the address; artifacts of a CI expire.")
    if "html" in content_type.lower():
        raise UsageError(f"{shown} answers with a web page, as a login does, and not with a record.", login)
