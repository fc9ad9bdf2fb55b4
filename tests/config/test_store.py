# SPDX-License-Identifier: Apache-2.0
"""Addresses and data sets of stores."""

from __future__ import annotations

from typing import Any

import pydantic
import pytest

from fvhydra.config.store import HubStoreConfig


def _store(**settings: Any) -> HubStoreConfig:
    return HubStoreConfig(**({"_target_": "a.B", "name": "hub", "repo_id": "org/name"} | settings))


@pytest.mark.parametrize("repo_id", ["org/name", "Org-1/a.b_c", "1/2"])
def test_a_data_set_is_an_organisation_and_a_name(repo_id: str) -> None:
    assert _store(repo_id=repo_id).repo_id == repo_id


@pytest.mark.parametrize("repo_id", ["", "name", "a/b/c", "../x", "a/.b", "ü/x", "a b/c"])
def test_anything_else_is_no_data_set(repo_id: str) -> None:
    with pytest.raises(pydantic.ValidationError) as refused:
        _store(repo_id=repo_id)
    said = "Value error, must be a data set, as organisation/name (or set FASTVIDEO_SSIM_REFERENCE_HF_REPO "
    said += "for store=hub, HF_REPO_ID for store=performance)"
    assert refused.value.errors()[0]["msg"] == said


@pytest.mark.parametrize(
    ("endpoint", "kept"),
    [
        (None, None),
        ("https://hub.example", "https://hub.example"),
        ("http://localhost:8080/x", "http://localhost:8080/x"),
        ("http://h:1", "http://h:1"),
        ("https://ada:secret@hub.example", "https://hub.example"),
    ],
)
def test_an_address_is_kept_without_its_password(endpoint: str | None, kept: str | None) -> None:
    assert _store(endpoint=endpoint).endpoint == kept


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "hub.example",
        "ftp://h",
        "https://",
        "http://h:0",
        "http://h:99999",
        "http://[",
        "https://h\x1b",
        "https://a b",
    ],
)
def test_anything_else_is_no_address(endpoint: str) -> None:
    with pytest.raises(pydantic.ValidationError) as refused:
        _store(endpoint=endpoint)
    said = "Value error, must be an address such as https://hub.example, with http or https and a host"
    assert refused.value.errors()[0]["msg"] == said
