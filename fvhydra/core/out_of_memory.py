# SPDX-License-Identifier: Apache-2.0
"""Memory that ran out, in one sentence: libraries say it as four kinds of errors, and in as many words as they like."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator, Sequence

from fvhydra.core.errors import InfrastructureError

_DEVICE = re.compile(
    r"CUDA out of memory|CUDA error: out of memory|cudaErrorMemoryAllocation|HIP out of memory"
    r"|CU(?:BLAS|DNN|SOLVER|SPARSE|FFT)_STATUS_ALLOC(?:ATION)?_FAILED"
    # libraries of CUDA take memory beside torch's allocator, and call it this when there is none
    r"|CUDNN_STATUS_NOT_INITIALIZED|CUBLAS_STATUS_NOT_INITIALIZED|CUSOLVER_STATUS_(?:INTERNAL_ERROR|NOT_INITIALIZED)"
    r"|cusolver error: CUSOLVER_STATUS_INTERNAL_ERROR"
)
_HOST = re.compile(r"DefaultCPUAllocator: (?:can't allocate memory|not enough memory)|Cannot allocate memory")
_WANTED = re.compile(r"[Tt]ried to allocate ([\d.]+ [KMGT]i?B|\d+ bytes)")
_FREE = re.compile(r"total capacity of ([\d.]+ [KMGT]iB) of which ([\d.]+ [KMGT]iB) is free")
_GIB = 1024**3


def ran_out(error: BaseException) -> str | None:
    """Which memory an error says ran out, ``GPU`` or ``host``; None where it says something else.

    Looks at the error and at those that it was raised from. By names and texts: no library need be loaded.

    Example:
        >>> ran_out(RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."))
        'GPU'
    """
    return next((kind for item in _causes(error) if (kind := _kind(item)) is not None), None)


def out_of_memory(error: BaseException, doing: str, hint: str = "") -> InfrastructureError | None:
    """The sentence for an error of memory that ran out; None where it says something else.

    Args:
        doing: What was being done, as ``generating``.
        hint: What to try.
    """
    found = next((item for item in _causes(error) if _kind(item) is not None), None)
    if found is None:
        return None
    kind, text = _kind(found), str(found)
    wanted, free = _WANTED.search(text), _FREE.search(text)
    parts = [f"it needs {wanted[1]} more"] if wanted else []
    if kind == "GPU" and (room := (free[2], free[1]) if free else _room()):
        parts.append(f"{room[0]} is free of {room[1]}")
    status = re.search(r"CU[A-Z]+_STATUS_\w+", text)
    said = f" ({status[0]})" if status else ""
    where = "The GPU" if kind == "GPU" else "This machine"
    about = f": {', '.join(parts)}" if parts else ""
    return InfrastructureError(f"{where} ran out of memory while {doing}{said}{about}.", hint)


@contextlib.contextmanager
def memory_explained(doing: str, hints: Sequence[str] = ()) -> Iterator[None]:
    """Let errors of memory that ran out leave the block as one sentence, and all others as they are.

    What torch's allocator held of the failed work is given back, so that the next case has it.

    Raises:
        InfrastructureError: Memory ran out.
    """
    try:
        yield
    except Exception as error:
        explained = out_of_memory(error, doing, f"Try {' or '.join(hints)}." if hints else "")
        if explained is None:
            raise
        torch = sys.modules.get("torch")
        if torch is not None:
            with contextlib.suppress(Exception):  # what is broken stays so
                torch.cuda.empty_cache()
        raise explained from error


def _kind(error: BaseException) -> str | None:
    if isinstance(error, InfrastructureError):
        return None
    names = {kind.__name__ for kind in type(error).__mro__}
    text = str(error)
    if "OutOfMemoryError" in names or _DEVICE.search(text):
        return "GPU"
    return "host" if isinstance(error, MemoryError) or _HOST.search(text) else None


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        yield found
        seen.add(id(found))
        found = found.__cause__ or found.__context__


def _room() -> tuple[str, str] | None:
    """Free and whole memory of the current device, as far as its driver still answers."""
    torch = sys.modules.get("torch")
    try:
        if torch is None or not torch.cuda.is_initialized():
            return None
        free, whole = torch.cuda.mem_get_info()
    except Exception:
        return None
    return f"{free / _GIB:.2f} GiB", f"{whole / _GIB:.2f} GiB"
