# SPDX-License-Identifier: Apache-2.0
"""What must not be written down: the name and the password that an address may hold."""

from __future__ import annotations

import re
from collections.abc import Iterable

# RFC 3986, section 3.2.1: from the two slashes to the last @ before the path
_USER_INFO = re.compile(r"(?<=://)[^/?#\s]*@")


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
