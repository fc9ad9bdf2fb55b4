# SPDX-License-Identifier: Apache-2.0
"""From what huggingface_hub raises to what a store raises."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from fvhydra.config.secrets import without_user_info
from fvhydra.core.errors import Denied, NotFound, StoreError, Unavailable
from fvhydra.core.token import TOKEN_VARIABLES, Token
from fvhydra.stores.hub.http import httpx
from fvhydra.stores.hub.session import BROKEN, PASSING

HOW_TO_GET_ONE = (
    f"Set {', '.join(TOKEN_VARIABLES[:-1])} or {TOKEN_VARIABLES[-1]} to a token with write access "
    "(https://huggingface.co/settings/tokens), or run `hf auth login`."
)

HOW_TO_READ = (
    f"Set {', '.join(TOKEN_VARIABLES[:-1])} or {TOKEN_VARIABLES[-1]} to a token that may read it, or ask its owners."
)

_FAILURES = (
    *(httpx.HTTPError, httpx.InvalidURL, EntryNotFoundError, ConnectionError),
    *(RuntimeError, ValueError),  # of huggingface_hub: an upload that failed, an answer that makes no sense
)
_ADDRESS = "Check store.endpoint and HF_ENDPOINT."
_LATER = (
    "Look at https://status.huggingface.co and at your own network, then run the same command again; "
    "where only plain HTTP gets through, with store.xet=off."
)


class Passing(Unavailable):
    """A failure that may be gone the next time. After a request that writes, it leaves open whether it was done."""

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message, _LATER)
        self.retry_after_s = retry_after_s


class Overtaken(StoreError):
    """Somebody committed between our look at the head and our commit."""


@contextlib.contextmanager
def explained(location: str, token: Token | None, writing: bool = False) -> Iterator[None]:
    """Turn every failure of a request to the Hub into one of a store, without its chain: that may quote the request.

    Args:
        location: The data set.
        token: What it is asked with; never quoted.
        writing: Whether the request needs a token that may write.

    Raises:
        Denied, NotFound, Unavailable, Passing, Overtaken: See the classes.
    """
    try:
        yield
    except _FAILURES as error:
        failure = _translated(error, location, token, writing)
        failure.message = without_user_info(failure.message)
        if token is not None:
            failure.message = failure.message.replace(token.value, "<token>")
        failure.args = (failure.message,)
        raise failure from None
    except OSError as error:
        if error.errno is not None:  # the disk's, not the Hub's
            raise
        raise Passing(f"{location} could not be downloaded whole: {_first_line(error)}") from None


def _translated(error: Exception, location: str, token: Token | None, writing: bool) -> StoreError:
    if isinstance(error, HfHubHTTPError):
        return _answer(error, location, token, writing)
    if isinstance(error, OfflineModeIsEnabled):
        return Unavailable(f"{location} is out of reach: HF_HUB_OFFLINE is set.", "Unset it, or use store=local.")
    if isinstance(error, (LocalEntryNotFoundError, ValueError)):
        # what huggingface_hub makes of a download that failed; the reason is behind it
        if isinstance(error.__cause__, Exception):
            return _translated(error.__cause__, location, token, writing)
        return Passing(f"{location} sent what the Hub would not send: {_first_line(error)}")
    reason = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ else error
    if isinstance(reason, HfHubHTTPError) and reason.response.status_code in PASSING:
        return _answer(reason, location, token, writing)
    if not isinstance(error, (*BROKEN, ConnectionError, RuntimeError)):
        return NotFound(f"{location} cannot be asked: {_first_line(reason)}", _ADDRESS)
    if _names_no_host(error):
        return NotFound(f"{location} cannot be asked: its address names a host that does not exist.", _ADDRESS)
    return Passing(f"{location} cannot be reached: {_first_line(reason)}")


def _names_no_host(error: BaseException | None) -> bool:
    """Whether the system knows for sure that there is no such host; "not now" is another answer."""
    while error is not None:
        if isinstance(error, socket.gaierror):
            return error.errno == socket.EAI_NONAME
        error = error.__cause__ or error.__context__
    return False


def _answer(error: HfHubHTTPError, location: str, token: Token | None, writing: bool) -> StoreError:
    status, said = error.response.status_code, _first_line(error.server_message or "")
    if isinstance(error, RepositoryNotFoundError) or status in (401, 403):
        return _denied(error, status, said, location, token, writing)
    if isinstance(error, RevisionNotFoundError):
        return NotFound(f"There is no such revision or branch in {location}: {said}", "Check store.revision.")
    if isinstance(error, EntryNotFoundError):
        return NotFound(f"There is no such file in {location}: {said}")
    if status == 404:
        return NotFound(f"Where {location} is looked for, nobody knows such a request (404): {said}", _ADDRESS)
    if status == 412:
        return Overtaken(f"Somebody else committed to {location}.")
    if status == 413:
        return Unavailable(f"{location} takes no request that large (413): {said}", "Publish fewer files at once.")
    if status in PASSING:
        return Passing(f"{location} answered {status}: {said}", _retry_after_s(error))
    return Unavailable(f"{location} answered {status}: {said}")


def _denied(error: HfHubHTTPError, status: int, said: str, location: str, token: Token | None, writing: bool) -> Denied:
    whose = f"the token from {token.source}" if token else "a request without a token"
    if isinstance(error, RepositoryNotFoundError):
        return Denied(f"There is no data set {location} that {whose} may see.", HOW_TO_GET_ONE)
    if status == 401:
        return Denied(f"{location} does not accept {whose}.", HOW_TO_GET_ONE)
    if writing:
        return Denied(f"{location} forbids writing with {whose}, which needs write access: {said}", HOW_TO_GET_ONE)
    return Denied(f"{location} forbids reading with {whose}: {said}", HOW_TO_READ)


def _retry_after_s(error: HfHubHTTPError) -> float:
    given = error.response.headers.get("Retry-After", "")
    return float(given) if given.isdigit() else 0.0


def _first_line(text: object) -> str:
    return (str(text).strip().splitlines() or [""])[0]
