# SPDX-License-Identifier: Apache-2.0
"""Artifacts by address: bounded, each refusal named, the token only where it belongs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fvhydra.core.errors import FvhydraError, InfrastructureError, UsageError
from fvhydra.performance import download as module
from fvhydra.performance.download import TOKEN_VARIABLE, download, is_address, public_address
from tests.servers.artifacts import TOKEN, Artifacts, artifacts


@pytest.fixture
def ci() -> Iterator[Artifacts]:
    with artifacts({"/builds/7/perf.json": b'{"a": 1}'}) as server:
        yield server


def test_an_artifact_is_kept_under_a_name_of_its_own(ci: Artifacts, tmp_path: Path) -> None:
    path = download(f"{ci.url}/builds/7/perf.json?signature=abc", tmp_path / "downloads", "01")
    assert path == tmp_path / "downloads" / "01_perf.json" and path.read_bytes() == b'{"a": 1}'
    assert ci.asked == [("/builds/7/perf.json?signature=abc", None)]


@pytest.mark.parametrize(
    ("path", "kind", "says"),
    [
        ("/gone.json", UsageError, r"/gone.json is not there \(HTTP 404\)"),
        ("/secret/builds/7/perf.json?key=abc", UsageError, r"wants a login \(HTTP 401\)"),
        ("/login", UsageError, "answers with a web page, as a login does"),
        ("/broken", InfrastructureError, "HTTP 503"),
        ("/endless", UsageError, "has more than 1,000 bytes, the most that are fetched"),
        ("/moved/circle", InfrastructureError, "cannot be fetched .TooManyRedirects."),
    ],
)
def test_what_cannot_be_had_is_named_and_leaves_nothing(
    ci: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, kind: type[FvhydraError], says: str
) -> None:
    monkeypatch.setattr(module, "ARTIFACT_BYTES", 1000)
    ci.elsewhere = f"{ci.url}/moved"
    with pytest.raises(kind, match=says) as refused:
        download(ci.url + path, tmp_path, "01")
    assert not list(tmp_path.iterdir()) and "abc" not in str(refused.value)


def test_a_server_that_is_not_there_may_be_tried_again(tmp_path: Path) -> None:
    with artifacts() as server:
        url = server.url
    with pytest.raises(InfrastructureError, match=r"cannot be fetched \(ConnectError\)") as refused:
        download(f"{url}/perf.json?signature=abc", tmp_path, "01")
    assert "abc" not in str(refused.value) and refused.value.__cause__ is None


def test_the_token_goes_to_the_address_given_and_not_to_where_it_redirects(
    ci: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    assert download(f"{ci.url}/secret/builds/7/perf.json", tmp_path, "01").read_bytes() == b'{"a": 1}'
    with artifacts({"/builds/7/perf.json": b"{}"}) as other:
        ci.elsewhere = other.url
        download(f"{ci.url}/moved/builds/7/perf.json", tmp_path, "02")
        assert [token for _, token in other.asked] == [None]
    assert {token for _, token in ci.asked} == {f"Bearer {TOKEN}"}


def test_the_token_is_not_sent_where_everybody_can_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    assert module._headers("https://ci.example/a") == {"Authorization": f"Bearer {TOKEN}"}
    assert module._headers("http://ci.example/a") == {}


def test_addresses_and_what_may_be_written_of_them() -> None:
    assert is_address("https://a/b") and is_address("http://a/b")
    assert not is_address("ftp://a/b") and not is_address("a/https://b")
    assert public_address("https://u:p@ci.example/a.json?x=1#y") == "https://ci.example/a.json"
