"""The merge join of scanned entries with listed objects.

Both sides come in bytewise order of the object names. So the join holds only the head of each side, and its memory does
not depend on the number of names.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import TypeVar

from bulkput.model import Found, RemoteObject, SourceFile
from bulkput.record import record

T = TypeVar("T")


@record
class ScannedEntry:
    """A finding of the scan and the bytes of its object name.

    `key` is None if it has no object name; the join only passes it on. If it has a key but is not a file, it is unknown
    which files exist under that name, or below it as a directory.
    """

    key: bytes | None
    found: Found


@record
class ListedObject:
    """A row of the listing and the bytes of its name."""

    key: bytes
    row: RemoteObject


@record
class Pair:
    """A name with its file, its object, or both.

    `is_unknown`: the scan could not see whether the object has a file. `is_unlisted`: the listing was not searched for
    the object. `nameless`: a finding that is no file; the pair then has no name.
    """

    key: bytes
    file: SourceFile | None
    row: RemoteObject | None
    is_unknown: bool = False
    is_unlisted: bool = False
    nameless: Found | None = None


def nameless(found: Found) -> Pair:
    """A pair that only passes a finding on."""
    return Pair(b"", None, None, nameless=found)


async def joined(
    here: AsyncIterator[ScannedEntry], there: AsyncIterator[ListedObject], *, suffix: bytes = b""
) -> AsyncGenerator[Pair, None]:
    """Pair the files of `here` with the objects of `there`: each name once, in order. Other findings are passed on.

    An entry that could not be read may have an object of its own name, or of its name plus `suffix`. Entries of `here`
    that are not files may come later than their name's place in the order, but never earlier.
    """
    unknown: list[bytes] = []
    left, right = await anext(here, None), await anext(there, None)
    while left is not None or right is not None:
        if left is not None and left.key is None:
            yield nameless(left.found)
            left = await anext(here, None)
        elif left is not None and left.key is not None and (right is None or left.key <= right.key):
            if not isinstance(left.found, SourceFile):
                unknown = _with_unknown(unknown, left.key, right)
                yield nameless(left.found)
            elif right is not None and left.key == right.key:
                yield Pair(left.key, left.found, right.row)
                right = await anext(there, None)
            else:
                yield Pair(left.key, left.found, None)
            left = await anext(here, None)
        elif right is not None:
            yield Pair(right.key, None, right.row, any(_covers(key, right.key, suffix) for key in unknown))
            right = await anext(there, None)


def _with_unknown(unknown: list[bytes], key: bytes, right: ListedObject | None) -> list[bytes]:
    """The unknown names that can still cover `right` or later objects: its parent directories, and a few that sort
    between them."""
    return [] if right is None else [each for each in (*unknown, key) if not _is_past(right.key, each)]


def _covers(unknown: bytes, key: bytes, suffix: bytes) -> bool:
    """Whether the object `key` may belong to the unknown entry. The empty name is the whole destination."""
    return not unknown or key in (unknown, unknown + suffix) or key.startswith(unknown + b"/")


def _is_past(key: bytes, unknown: bytes) -> bool:
    """Whether no name from `key` on lies below `unknown`. `0` is the byte that follows `/`."""
    return bool(unknown) and key >= unknown + b"0"
