"""Which rows of an object show the same version of it."""

import hashlib

from bulkput.model import RemoteObject

_BITS = 62
"""SQLite's integers have 64, with their sign."""


def state_of(row: RemoteObject) -> int:
    """A number that tells this version of an object from others: of its ETag, its time and its size."""
    text = f"{row.hash} {row.last_modified} {row.bytes}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> (64 - _BITS)


def is_unknown(row: RemoteObject) -> bool:
    """Whether nothing but its name is known of an object: a list has named it."""
    return row.bytes is None and row.hash is None and row.last_modified is None


def is_same(listed: RemoteObject, now: RemoteObject) -> bool:
    """Whether a HEAD or a GET shows the version that was listed. A listing may have a finer time, and the ETag of a
    manifest in place of that of its object. A list shows no version: each is the one that it means."""
    if is_unknown(listed):
        return True
    if listed.hash is not None and listed.hash == now.hash:
        return True
    return listed.last_modified is not None and listed.last_modified == now.last_modified
