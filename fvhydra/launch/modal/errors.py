# SPDX-License-Identifier: Apache-2.0
"""What the SDK raises, as sentences."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from fvhydra.core.errors import FvhydraError, InfrastructureError, UsageError


class OutOfReach(InfrastructureError):
    """Modal could not be reached for longer than ``launcher.patience_s``; what runs there may go on."""


def unreachable() -> tuple[type[Exception], ...]:
    """What the SDK raises for a link that is down and a server that is not well."""
    from modal import exception

    return (exception.ConnectionError, exception.ServiceError, exception.InternalError, ConnectionError)


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn what the SDK raises into sentences, and an interruption back into what it was.

    Raises:
        UsageError: The token, a Secret or a setting is wrong.
        InfrastructureError: Modal cannot be reached, or fails.
        KeyboardInterrupt: Everything has been stopped.
    """
    import asyncio

    try:
        yield
    except asyncio.CancelledError as error:
        raise KeyboardInterrupt from error
    except Exception as error:
        if (told := explanation(error)) is not None:
            raise told from error
        raise


def explanation(error: Exception) -> FvhydraError | None:
    """What an error of the SDK means to a person; None for other errors."""
    from modal import exception

    if isinstance(error, exception.AuthError):
        return UsageError(
            f"Modal does not accept this machine's token ({error}).",
            "Make one with `modal token new`, or set MODAL_TOKEN_ID and MODAL_TOKEN_SECRET.",
        )
    if isinstance(error, exception.NotFoundError | exception.InvalidError | exception.PermissionDeniedError):
        return UsageError(f"Modal refuses: {error}.", "Look at launcher.secrets, launcher.image and gpu=.")
    if isinstance(error, (*unreachable(), exception.Error)):
        return InfrastructureError(f"Modal failed ({type(error).__name__}: {error}).", "Try again in a minute.")
    return None
