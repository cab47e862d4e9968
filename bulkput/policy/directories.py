"""Directories in a store that has none: names with `/` in them, and objects without bytes that stand for a level.

Such a marker is called as its directory is, without a slash at its end (`poe`, `poe/raven`), so that Swift's old
`?path=poe` finds what lies directly in a level; python-swiftclient and Cyberduck write and read the same.
"""

from collections.abc import AsyncGenerator, AsyncIterator

from bulkput.model import Prefix, RemoteObject

MARKER_TYPE = "application/directory"
"""The media type of a marker."""
_MARKER_TYPES = (MARKER_TYPE, "text/directory")
"""With the one that older programs wrote (python-swiftclient reads both)."""


def is_marker(row: RemoteObject) -> bool:
    """Whether the object stands for a directory."""
    return row.bytes == 0 and (row.content_type or "").partition(";")[0].strip().lower() in _MARKER_TYPES


def is_others_marker(name: str, size: int | None) -> bool:
    """Whether it is what S3's consoles and rclone's `directory_markers` write: no bytes, a slash at the end."""
    return size == 0 and name.endswith("/")


async def one_level(listing: AsyncIterator[RemoteObject | Prefix]) -> AsyncGenerator[RemoteObject | Prefix, None]:
    """A listing with the delimiter `/` in which each directory comes once, as a Prefix: also one that has a marker, or
    nothing but a marker.

    A marker comes before what lies below it, and between the two come only names that begin with its own: what is
    remembered is a chain of names, each of which begins the next, so that it is never long.
    """
    shown: list[str] = []
    async for item in listing:
        while shown and not item.name.startswith(shown[-1]):
            shown.pop()
        if isinstance(item, RemoteObject) and is_marker(item) and not item.name.endswith("/"):
            shown.append(item.name)
            yield Prefix(item.name + "/")
        elif not (isinstance(item, Prefix) and item.name[:-1] in shown):
            yield item
