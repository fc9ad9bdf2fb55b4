# SPDX-License-Identifier: Apache-2.0
"""``store=``: where references live."""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from omegaconf import MISSING
from pydantic import AfterValidator
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import PositiveFloat, doc, one_of
from fvhydra.config.secrets import without_user_info

_NO_ADDRESS = re.compile(r"[\s\x00-\x1f\x7f]")
_REPO_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)


def _repo_id(value: str) -> str:
    if not _REPO_ID.fullmatch(value):
        raise ValueError(
            "must be a data set, as organisation/name (or set FASTVIDEO_SSIM_REFERENCE_HF_REPO for store=hub, "
            "HF_REPO_ID for store=performance)"
        )
    return value


def _endpoint(value: str) -> str:
    try:
        parts = urlsplit(value)
        # asking for the port checks it
        good = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or _NO_ADDRESS.search(value):
        raise ValueError("must be an address such as https://hub.example, with http or https and a host")
    return without_user_info(value)


@dataclass
class StoreConfig:
    """A store. ``_target_`` is a class with the contract of ``fvhydra.stores.base.Store``."""

    _target_: str = doc("Dotted path of the store's class", MISSING)
    name: str = doc("The word after store=", MISSING)
    options: dict[str, Any] = doc("Settings that only this store knows", factory=dict)


@dataclass
class LocalStoreConfig(StoreConfig):
    """A store in a folder of this machine."""

    path: str = doc("Folder of the store, made when first written", MISSING, variable="FVHYDRA_STORE")


@dataclass
class HubStoreConfig(StoreConfig):
    """A data set on the Hugging Face Hub. The token comes from the environment, never from here."""

    repo_id: Annotated[str, AfterValidator(_repo_id)] = doc(
        "Data set, as organisation/name", MISSING, variable="FASTVIDEO_SSIM_REFERENCE_HF_REPO", example="org/name"
    )
    revision: str = doc("Branch that is read and written", "main")
    endpoint: Annotated[str, AfterValidator(_endpoint)] | None = doc(
        "Address of the Hub; null: HF_ENDPOINT or the public one", None, typed=True
    )
    cache_dir: str | None = doc("Folder for downloads; null: that of huggingface_hub (HF_HUB_CACHE, HF_HOME)", None)
    timeout_s: PositiveFloat = doc("Longest wait for the network to move at all, s", 60.0)
    retry_s: PositiveFloat = doc("How long to try again after a failure that may pass, s", 30.0)
    xet: Annotated[str, one_of("auto", "off")] = doc("Xet transfers: auto (unless HF_HUB_DISABLE_XET) or off", "auto")
