"""Which rows of an object show the same version of it."""

import hashlib

from bulkput.model import RemoteObject
from bulkput.policy.references import has_same_time

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
    """Whether a HEAD or a GET shows the version that was listed.

    | the rows                                    | show the same version if                                         |
    |---------------------------------------------|------------------------------------------------------------------|
    | only a name: a list has named the object    | always: each version is the one that the list means              |
    | both have an ETag                           | the ETags are equal, or the times: a listing may have the ETag   |
    |                                             | of a manifest in place of that of its object                     |
    | one has no ETag (S3 that encrypts)          | the times are equal to the last digit that both have, and the    |
    |                                             | sizes, if neither is a large object                              |
    """
    if is_unknown(listed):
        return True
    if listed.hash is None or now.hash is None:
        is_plain = listed.large is None and now.large is None
        if is_plain and None not in (listed.bytes, now.bytes) and listed.bytes != now.bytes:
            return False
        return has_same_time(listed, now) or False
    if listed.hash == now.hash:
        return True
    return listed.last_modified is not None and listed.last_modified == now.last_modified
