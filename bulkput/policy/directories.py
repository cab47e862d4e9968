"""Directories in a store that has only objects: names with `/`, and empty objects (markers) that stand for a directory.

A marker has the name of its directory without a slash at the end (`poe`, `poe/raven`), so that Swift's old `?path=poe`
lists the direct contents of a directory. python-swiftclient and Cyberduck write and read the same markers.
"""

from collections.abc import AsyncGenerator, AsyncIterator

from bulkput.model import Prefix, RemoteObject

MARKER_TYPE = "application/directory"
"""The media type of a marker."""
_MARKER_TYPES = (MARKER_TYPE, "text/directory")
"""Older programs wrote the second one. python-swiftclient reads both."""


def is_marker(row: RemoteObject) -> bool:
    """Whether the object is a directory's marker."""
    return row.bytes == 0 and (row.content_type or "").partition(";")[0].strip().lower() in _MARKER_TYPES


def is_others_marker(name: str, size: int | None) -> bool:
    """Whether the object is a marker of S3's consoles and rclone (`directory_markers`): empty, its name ends in `/`."""
    return size == 0 and name.endswith("/")


async def one_level(listing: AsyncIterator[RemoteObject | Prefix]) -> AsyncGenerator[RemoteObject | Prefix, None]:
    """A listing with the delimiter `/`, in which each directory appears once, as a Prefix.

    A store lists a directory twice if it has both a marker and contents, and as a plain object if it has only a marker.
    A marker comes before the Prefix of its directory, and all names between the two begin with the marker's name. So
    `shown` is a chain of names, each of which begins with the one before, and stays short.
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
