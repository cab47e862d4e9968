"""The merge join of what is here with what is listed: both come in bytewise order of the object names, so one look at
the head of each is enough, and memory does not depend on how many there are."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import TypeVar

from bulkput.model import Found, RemoteObject, SourceFile
from bulkput.record import record

T = TypeVar("T")


@record
class ScannedEntry:
    """What a scan has found, by the bytes of its object name; `key` None: it has none, and is only passed on. No file,
    but a key: what should be here under that name, and below it as a directory, is not known."""

    key: bytes | None
    found: Found


@record
class ListedObject:
    """An object by the bytes of its name."""

    key: bytes
    row: RemoteObject


@record
class Pair:
    """A name with its file, its object, or both. `is_unknown`: whether there should be a file could not be seen.
    `is_unlisted`: nobody has looked for the object. `nameless`: no name but a finding that makes none."""

    key: bytes
    file: SourceFile | None
    row: RemoteObject | None
    is_unknown: bool = False
    is_unlisted: bool = False
    nameless: Found | None = None


def nameless(found: Found) -> Pair:
    """What has no object name, on its way through."""
    return Pair(b"", None, None, nameless=found)


async def joined(
    here: AsyncIterator[ScannedEntry], there: AsyncIterator[ListedObject], *, suffix: bytes = b""
) -> AsyncGenerator[Pair, None]:
    """Each name once, in order, and all that is only passed on.

    What could not be read might be here under its name or under that with `suffix`. What of `here` is no file may come
    later than its name would; nothing may come earlier.
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
    """Those that can still cover what comes: names of directories above it, and few others, that sort between."""
    return [] if right is None else [each for each in (*unknown, key) if not _is_past(right.key, each)]


def _covers(unknown: bytes, key: bytes, suffix: bytes) -> bool:
    return not unknown or key in (unknown, unknown + suffix) or key.startswith(unknown + b"/")


def _is_past(key: bytes, unknown: bytes) -> bool:
    """No name from `key` on lies below `unknown`: `0` is what follows `/`."""
    return bool(unknown) and key >= unknown + b"0"
