# SPDX-License-Identifier: Apache-2.0
"""A Hugging Face Hub of our own: the part of its HTTP interface that ``huggingface_hub`` uses for data sets.

    with HubServer() as hub:
        hub.create("alice/refs")
        hub.fault("status", "/commit/", status=503)
        ...  # a client with endpoint=hub.url and the token ALICE
        assert hub.requests[-1].path == ...

Repositories are made of real git objects (their SHA-1 are those of git), kept in memory. The server listens on
127.0.0.1 only and answers with the status codes, headers and error bodies of the real one. Faults are injected by
:meth:`HubServer.fault`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers.hub.faults import Fault
from tests.servers.hub.server import ALICE, ALICE_READS, BOB, HubServer

__all__ = ["ALICE", "ALICE_READS", "BOB", "Fault", "HubServer", "the_only_hub"]


@contextmanager
def the_only_hub(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[HubServer]:
    """A server that stands for the Hub in this process, with no token and an empty cache."""
    from huggingface_hub import close_session

    for name in ("HF_TOKEN", "HF_API_KEY", "HUGGINGFACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with HubServer() as server:
        template = f"{server.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.url)
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
        yield server
    close_session()
