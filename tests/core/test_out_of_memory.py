# SPDX-License-Identifier: Apache-2.0
"""Memory that ran out, whatever library noticed."""

from __future__ import annotations

import pytest
import torch

from fvhydra.core.errors import InfrastructureError
from fvhydra.core.out_of_memory import memory_explained, ran_out

TORCH = (
    "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.11 GiB of which 6.50 GiB is"
    " free. Including non-PyTorch memory, this process has 72.60 GiB memory in use. Of the allocated memory 71.90 GiB"
    " is allocated by PyTorch, and 27.46 MiB is reserved by PyTorch but unallocated. If reserved but unallocated"
    " memory is large try setting PYTORCH_ALLOC_CONF=expandable_segments:True to avoid fragmentation."
)
KINDS = [
    (
        torch.OutOfMemoryError(TORCH),
        "The GPU ran out of memory while placing it: it needs 20.00 GiB more, 6.50 GiB is free of 79.11 GiB.",
    ),
    (
        RuntimeError(
            "cusolver error: CUSOLVER_STATUS_INTERNAL_ERROR, when calling `cusolverDnCreate(handle)`. If you keep"
            " seeing this error, you may use `torch.backends.cuda.preferred_linalg_library()` to try linear algebra"
        ),
        "The GPU ran out of memory while placing it (CUSOLVER_STATUS_INTERNAL_ERROR).",
    ),
    (
        RuntimeError(
            "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported at some other call"
        ),
        "The GPU ran out of memory while placing it.",
    ),
    (
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried to"),
        "This machine ran out of memory while placing it.",
    ),
    (
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        "The GPU ran out of memory while placing it (CUBLAS_STATUS_ALLOC_FAILED).",
    ),
    (MemoryError(), "This machine ran out of memory while placing it."),
]


@pytest.mark.parametrize(("error", "message"), KINDS, ids=lambda value: type(value).__name__)
def test_every_kind_is_one_sentence_with_what_to_try(error: Exception, message: str) -> None:
    with pytest.raises(InfrastructureError) as caught, memory_explained("placing it", ["this", "that"]):
        raise error
    assert caught.value.message == message and caught.value.hint == "Try this or that."
    assert caught.value.__cause__ is error and caught.value.exit_code == 4


def test_an_error_that_wraps_one_is_one() -> None:
    wrapped = OSError("did not load")
    wrapped.__cause__ = torch.OutOfMemoryError(TORCH)
    assert ran_out(wrapped) == "GPU"


def test_other_errors_pass_as_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes differ"), memory_explained("placing it"):
        raise RuntimeError("shapes differ")
    with pytest.raises(InfrastructureError, match="CUDA out of memory"), memory_explained("placing it"):
        raise InfrastructureError("It was said already: CUDA out of memory")
