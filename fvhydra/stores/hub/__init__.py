# SPDX-License-Identifier: Apache-2.0
"""References on the Hugging Face Hub: a data set, with a commit of its own for every change.

Besides the files, the data set holds ``journal/<operation>.json``: every commit adds one, with its message, paths and
provenance. The file makes the commit unlike any other, so that the client never drops it as "nothing changed", and it
is how a commit whose answer was lost is found again. It and ``.gitattributes`` belong to the store: they are not among
its files.

What can go wrong and what is done about it:

* Somebody commits in between: the Hub compares the parent and refuses; the commit is prepared again on the new head.
* The Hub is busy, gone, or its answer is lost: it is asked again for ``store.retry_s`` seconds, and before a commit is
  sent again, whether it was made.
* A branch cannot be looked up: an error. Nothing is ever served from a cache without knowing the revision.
* Bytes are damaged on the way: every file is compared with the hash that the Hub has for it.
* No token, or one that may not write: said by :meth:`HubStore.check_writable`, before anything is generated.
"""

from fvhydra.stores.hub.store import HubStore

__all__ = ["HubStore"]
