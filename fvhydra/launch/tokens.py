# SPDX-License-Identifier: Apache-2.0
"""Which tokens of this machine a job is given: none, unless ``launcher.pass_env`` names them."""

from __future__ import annotations

import os
from collections.abc import Sequence

from fvhydra.config.launcher import LauncherConfig
from fvhydra.core.errors import Denied, UsageError
from fvhydra.core.token import TOKEN_VARIABLES, WITHHELD_VARIABLE, cached_login, find_token, without_token
from fvhydra.launch.job import Job
from fvhydra.stores.choice import open_store


def passed(settings: LauncherConfig) -> dict[str, str]:
    """The variables that ``launcher.pass_env`` names, with their values. ``HF_TOKEN`` may be the cached login.

    Raises:
        UsageError: One is not set here.
    """
    found = {name: os.environ.get(name) for name in settings.pass_env}
    if "HF_TOKEN" in found:
        found["HF_TOKEN"] = found["HF_TOKEN"] or cached_login()
    if missing := [name for name, value in found.items() if not value]:
        raise UsageError(
            f"launcher.pass_env=[{','.join(missing)}]: the environment of this command has no {missing[0]}.",
            f"Set it (export {missing[0]}=...), or leave it out.",
        )
    return {name: value for name, value in found.items() if value}


def worker_environment(settings: LauncherConfig) -> dict[str, str]:
    """This process's environment for a worker, without tokens: what is made is published by the driver.

    ``launcher.pass_env`` names those that a job is given all the same, to read what only a token can read.
    """
    kept = {name: value for name, value in os.environ.items() if name not in TOKEN_VARIABLES} | passed(settings)
    kept["HF_TOKEN_PATH"] = os.devnull  # nor the cached login
    return kept | withheld(settings)


def withheld(settings: LauncherConfig) -> dict[str, str]:
    """What a job is told of the tokens that are here and not given to it: their names, ``HF_TOKEN`` for the login."""
    here = [name for name in TOKEN_VARIABLES if os.environ.get(name)] or (["HF_TOKEN"] if cached_login() else [])
    names = sorted(set(here) - set(settings.pass_env))
    return {WITHHELD_VARIABLE: ",".join(names)} if names else {}


def check_stores(jobs: Sequence[Job], settings: LauncherConfig, another_way: str = "") -> None:
    """Refuse jobs that could not read their store without the tokens that they are not given.

    Args:
        another_way: How else this launcher gives jobs a token; it ends the hint.

    Raises:
        UsageError: Names the store, and how to pass a token.
        StoreError: A store cannot be reached at all.
    """
    stores = {store.location: job for job in jobs if (store := job.prepared.store).needs_token}
    if not stores or set(passed(settings)) & set(TOKEN_VARIABLES) or find_token() is None:
        return
    for name, job in stores.items():
        try:
            with without_token():
                open_store(job.config.store).head()
        except Denied as error:
            raise UsageError(
                f"Jobs of launcher={settings.name} are given no token, and {name} cannot be read without one.",
                f"Pass one, best one that may only read: launcher.pass_env=[HF_TOKEN]{another_way}.",
            ) from error
