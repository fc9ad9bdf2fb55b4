# SPDX-License-Identifier: Apache-2.0
"""From what huggingface_hub raises to what a store raises, and how long to try again."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator

import httpx2
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from fvhydra.core.errors import Denied, StoreError, Unavailable
from fvhydra.core.token import TOKEN_VARIABLES, Token
from fvhydra.stores.hub.session import BROKEN, PASSING

HOW_TO_GET_ONE = (
    f"Set {', '.join(TOKEN_VARIABLES[:-1])} or {TOKEN_VARIABLES[-1]} to a token with write access "
    "(https://huggingface.co/settings/tokens), or run `hf auth login`."
)

_FAILURES = (
    *(httpx2.HTTPError, httpx2.InvalidURL, EntryNotFoundError, ConnectionError),
    *(RuntimeError, ValueError),  # of huggingface_hub: an upload that failed, an answer that makes no sense
)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 8.0
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


class Patience:
    """Waiting between attempts, for ``total_s`` seconds from the first failure."""

    def __init__(self, total_s: float) -> None:
        self._total_s = total_s
        self._deadline: float | None = None
        self._pause_s = _FIRST_PAUSE_S

    def wait(self, failure: Passing) -> None:
        """Wait before the next attempt, as long as the Hub asked for; raise ``failure`` when there is no time left."""
        now = time.monotonic()
        if self._deadline is None:
            self._deadline = now + self._total_s
        pause_s = max(failure.retry_after_s, self._pause_s * random.uniform(0.5, 1.5))
        if now + pause_s > self._deadline:
            raise failure
        time.sleep(pause_s)
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)


@contextlib.contextmanager
def explained(location: str, token: Token | None) -> Iterator[None]:
    """Turn every failure of a request to the Hub into one of a store, without its chain: that may quote the request.

    Raises:
        Denied, Unavailable, Passing, Overtaken: See the classes.
    """
    try:
        yield
    except _FAILURES as error:
        failure = _translated(error, location, token)
        if token is not None:
            failure.args = tuple(str(text).replace(token.value, "<token>") for text in failure.args)
            failure.message = failure.message.replace(token.value, "<token>")
        raise failure from None
    except OSError as error:
        if error.errno is not None:  # the disk's, not the Hub's
            raise
        raise Passing(f"{location} could not be downloaded whole: {_first_line(error)}") from None


def _translated(error: Exception, location: str, token: Token | None) -> StoreError:
    if isinstance(error, HfHubHTTPError):
        return _answer(error, location, token)
    if isinstance(error, OfflineModeIsEnabled):
        return Unavailable(f"{location} is out of reach: HF_HUB_OFFLINE is set.", "Unset it, or use store=local.")
    if isinstance(error, (LocalEntryNotFoundError, ValueError)):
        # what huggingface_hub makes of a download that failed; the reason is behind it
        if isinstance(error.__cause__, Exception):
            return _translated(error.__cause__, location, token)
        return Passing(f"{location} sent what the Hub would not send: {_first_line(error)}")
    reason = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ else error
    if isinstance(reason, HfHubHTTPError) and reason.response.status_code in PASSING:
        return _answer(reason, location, token)
    if not isinstance(error, (*BROKEN, ConnectionError, RuntimeError)):
        return Unavailable(
            f"{location} cannot be asked: {_first_line(reason)}", "Check store.endpoint and HF_ENDPOINT."
        )
    return Passing(f"{location} cannot be reached: {_first_line(reason)}")


def _answer(error: HfHubHTTPError, location: str, token: Token | None) -> StoreError:
    status, said = error.response.status_code, _first_line(error.server_message or "")
    whose = f"the token from {token.source}" if token else "a request without a token"
    if isinstance(error, RepositoryNotFoundError):
        return Denied(f"There is no data set {location} that {whose} may see.", HOW_TO_GET_ONE)
    if status == 401:
        return Denied(f"{location} does not accept {whose}.", HOW_TO_GET_ONE)
    if status == 403:
        return Denied(f"{location} forbids this to {whose}, which needs write access: {said}", HOW_TO_GET_ONE)
    if isinstance(error, RevisionNotFoundError):
        return Unavailable(f"There is no such revision or branch in {location}: {said}")
    if status == 412:
        return Overtaken(f"Somebody else committed to {location}.")
    if status == 413:
        return Unavailable(f"{location} takes no request that large (413): {said}", "Publish fewer files at once.")
    if status in PASSING:
        return Passing(f"{location} answered {status}: {said}", _retry_after_s(error))
    return Unavailable(f"{location} answered {status}: {said}")


def _retry_after_s(error: HfHubHTTPError) -> float:
    given = error.response.headers.get("Retry-After", "")
    return float(given) if given.isdigit() else 0.0


def _first_line(text: object) -> str:
    return (str(text).strip().splitlines() or [""])[0]
