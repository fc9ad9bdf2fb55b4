# SPDX-License-Identifier: Apache-2.0
"""The HTTP library that huggingface_hub speaks, whose clients and errors are the only ones it knows.

Since its version 2 that is httpx2, and httpx before, which engines with an older transformers pin.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from huggingface_hub.errors import HfHubHTTPError

if TYPE_CHECKING:
    import httpx2 as httpx
else:
    httpx = import_module(HfHubHTTPError.__bases__[0].__module__.partition(".")[0])

__all__ = ["httpx"]
