# SPDX-License-Identifier: Apache-2.0
"""What may run, and where a token may be sent: what this command line and its environment say, and no file.

Classes of this package and those that installed packages announce (entry points of the group ``fvhydra``) may
be imported by name. Beyond that a command trusts the classes that its words and the folders of its ``--config-dir``
name, and the address of a Hub that its words or ``HF_ENDPOINT`` name. It tells its workers by variables of their
environment, which a person who starts a worker by hand can set too.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterable
from importlib import metadata
from urllib.parse import urlsplit

from fvhydra.config.secrets import without_user_info
from fvhydra.core.errors import UsageError

CLASSES_VARIABLE = "FVHYDRA_TRUSTED_CLASSES"
"""Environment variable: dotted paths of classes, or of whole modules, separated by commas."""
ENDPOINTS_VARIABLE = "FVHYDRA_TRUSTED_ENDPOINTS"
"""Environment variable: addresses of Hubs, separated by commas."""
SETTINGS_VARIABLE = "FVHYDRA_TRUSTED_SETTINGS"
"""Environment variable: settings of shipped jobs that only a person gives, as ``key:digest``, separated by commas."""
REGISTRY = "fvhydra"
"""Entry point group by which an installed package registers its classes, so that data may name them."""
PUBLIC_HUB = "https://huggingface.co"


@functools.cache
def registered() -> frozenset[str]:
    """Dotted names of the classes that installed packages register."""
    return frozenset(entry.value.replace(":", ".") for entry in metadata.entry_points(group=REGISTRY))


def is_registered(target: str) -> bool:
    """Whether ``target`` may be named by data that nobody vouches for: a class of ours, or a registered one."""
    return target.startswith(f"{__name__.partition('.')[0]}.") or target in registered()


def trust_classes(names: Iterable[str]) -> None:
    """Trust classes by their dotted paths, for this process and all that it starts."""
    _add(CLASSES_VARIABLE, names)


def trust_endpoints(addresses: Iterable[str]) -> None:
    """Trust addresses of Hubs, for this process and all that it starts."""
    _add(ENDPOINTS_VARIABLE, map(_address, addresses))


def trust_settings(names: Iterable[str]) -> None:
    """Trust settings of jobs, as ``key:digest``, for this process and all that it starts."""
    _add(SETTINGS_VARIABLE, names)


def is_trusted_setting(name: str) -> bool:
    """Whether a setting, as ``key:digest``, is one that this command gave."""
    return name in _listed(SETTINGS_VARIABLE)


def refuse_class(target: str, key: str) -> None:
    """Refuse a class that nobody here named, before its module is imported.

    Args:
        target: Its dotted path.
        key: What names it, for the message.

    Raises:
        UsageError: Nobody did.
    """
    trusted = any(target == name or target.startswith(f"{name}.") for name in _listed(CLASSES_VARIABLE))
    if not trusted and not is_registered(target):
        raise UsageError(
            f"{key}={target} was named by a file, and neither by this command line nor by an installed package, so it "
            "is not imported.",
            "If you trust it, name the folder of its choice with --config-dir, or set "
            f"{CLASSES_VARIABLE}={target} in the environment.",
        )


def refuse_endpoint(endpoint: str) -> None:
    """Refuse an address to which nobody here said that a token may be sent.

    Raises:
        UsageError: Shows it beside what this command line and environment say.
    """
    trusted = [_address(os.environ.get("HF_ENDPOINT") or PUBLIC_HUB), *_listed(ENDPOINTS_VARIABLE)]
    if _address(endpoint) not in trusted:
        raise UsageError(
            f"store.endpoint={without_user_info(endpoint)} comes from a file, and this command line and its "
            f"environment say {' and '.join(trusted)}: no token is sent to another address.",
            "If you trust it, give it in the command (store.endpoint=...) or as HF_ENDPOINT.",
        )


def trusted_variables() -> dict[str, str]:
    """What a worker that does not have this process's environment must be told."""
    names = (CLASSES_VARIABLE, ENDPOINTS_VARIABLE, SETTINGS_VARIABLE)
    return {name: os.environ[name] for name in names if os.environ.get(name)}


def _address(endpoint: str) -> str:
    """An address in the spelling that is compared: without user, quotes and the slash at its end."""
    plain = without_user_info(endpoint.strip().strip("'\"")).rstrip("/")
    with contextlib.suppress(ValueError):
        parts = urlsplit(plain)
        plain = parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower()).geturl()
    return plain


def _listed(variable: str) -> list[str]:
    return [name for name in os.environ.get(variable, "").split(",") if name]


def _add(variable: str, names: Iterable[str]) -> None:
    known = _listed(variable)
    if added := [name for name in dict.fromkeys(names) if name and name not in known]:
        os.environ[variable] = ",".join([*known, *added])
