# SPDX-License-Identifier: Apache-2.0
"""The same clip or latent in another file.

Some stores keep a content once and look no further when its hash is sent again. Where what they keep is damaged, only a
file with another hash brings the content back.
"""

from __future__ import annotations

import secrets
import shutil
import struct
from pathlib import Path

from fvhydra.core import files
from fvhydra.core.errors import MediaError

_NONCE_BYTES = 16
_ZIP_END = struct.Struct("<4s4H2LH")
"""End of central directory record (.ZIP File Format Specification 6.3.3, section 4.3.16). Its last field is the length
of the comment that follows."""


def write_distinct(source: Path, target: Path) -> None:
    """Write a file that every reader takes for ``source``, and that has another hash.

    Args:
        source: An ``.mp4`` or ``.mov`` (gets a ``free`` box, ISO/IEC 14496-12, section 8.1.2) or a ``.pt`` (a zip
            archive: gets a comment).
        target: The new file.

    Raises:
        MediaError: It is of another kind.
    """
    nonce = secrets.token_bytes(_NONCE_BYTES)
    with files.atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
        with open(temporary, "r+b") as file:
            if source.suffix in (".mp4", ".mov"):
                file.seek(0, 2)
                file.write(struct.pack(">I4s", 8 + len(nonce), b"free") + nonce)
            elif source.suffix == ".pt" and (end := _ending(temporary)):
                file.seek(-_ZIP_END.size, 2)
                file.write(_ZIP_END.pack(*end[:-1], len(nonce)) + nonce)
            else:
                raise MediaError(f"{source} cannot be written with other bytes: it is no .mp4, .mov or .pt archive.")


def _ending(path: Path) -> tuple[int, ...] | None:
    """The last record of a zip archive without a comment; None when it is something else."""
    data = path.read_bytes()[-_ZIP_END.size :]
    end = _ZIP_END.unpack(data) if len(data) == _ZIP_END.size else (b"",)
    return end if end[0] == b"PK\x05\x06" and end[-1] == 0 else None
