# SPDX-License-Identifier: Apache-2.0
"""The embedded default: a store in a folder, for one machine or a shared file system. Needs no server and no locks.

    objects/<aa>/<sha256>   the bytes of every file of every revision
    log/<number>.jsonl      one commit each: what was done, by whom, and the whole tree
    current/                the newest tree as plain files, for people; a view, never read back
    tmp/                    what is being written just now

A file is written completely under ``tmp/``, synced, and only then given its name. A commit is made by linking it to the
next number, which the operating system does exactly once: whoever comes second finds the number taken, and that is the
conflict. There are no locks, so nothing can be left locked. A process that dies leaves unused objects at worst, which
:meth:`LocalStore.verify` finds and removes.

Inside the folder there are no symbolic links; the folder itself may be one.

The file system must have hard links (local disks, NFS and Lustre do; FAT and some network shares do not). Replacing the
link by anything weaker could lose a commit, so the store refuses to be written there.
"""

from fvhydra.stores.local.store import LocalStore

__all__ = ["LocalStore"]
