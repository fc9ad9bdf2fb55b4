# SPDX-License-Identifier: Apache-2.0
"""What must not be written down: the name, the password and the signature that an address may hold."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

# RFC 3986, section 3.2.1: from the two slashes to the last @ before the path
_USER_INFO = re.compile(r"(?<=://)[^/?#\s]*@")
# a value, or one of a list; another of them ends it
_QUERY = re.compile(r"""((?:^|[=\[,'"]|, )https?://[^\s?#'",\]]+)[?#](?:[^\s'",\]]|,(?!\s*['"]?https?://))*""")


def without_user_info(text: str) -> str:
    """``text`` with ``user:password@`` taken out of every address in it.

    Used where addresses enter: the words that were typed, the configuration, facts of the environment. Whoever needs a
    password for a Hub behind a proxy sets ``HF_ENDPOINT``, which is recorded nowhere.

    Example:
        >>> without_user_info("store.endpoint=https://ada:secret@hub.example/api")
        'store.endpoint=https://hub.example/api'
    """
    return _USER_INFO.sub("", text)


def words_without_user_info(words: Iterable[str]) -> list[str]:
    """The same for each word of a command."""
    return [without_user_info(word) for word in words]


def without_signatures(value: Any) -> Any:
    """JSON types in which no address has its query, which gives those who have it a file of somebody's CI or bucket.

    An address counts where it is a whole value, or one of a list of them; in the middle of a text it stays.

    Example:
        >>> without_signatures(["op.source_result=https://ci.example/perf.json?signature=abc"])
        ['op.source_result=https://ci.example/perf.json']
    """
    if isinstance(value, dict):
        return {key: without_signatures(part) for key, part in value.items()}
    if isinstance(value, list):
        return [without_signatures(part) for part in value]
    return _QUERY.sub(r"\1", value) if isinstance(value, str) else value
