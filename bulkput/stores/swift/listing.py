"""A container's listing, page by page: what is believed of a page."""

from collections.abc import Sequence

from bulkput.model import Prefix, RemoteObject

Rows = Sequence[RemoteObject | Prefix]

MAX_PAGE_BYTES = 64 * 1024 * 1024
"""10 000 rows, each with a name of up to 1024 bytes (six characters each when escaped in JSON) and its metadata."""
_LAST = "\U0010ffff"
"""Put behind a Prefix: sorts after the names below it (but those that go on with that very character)."""


class NotFurtherError(Exception):
    """A page does not begin behind the one before it: a listing that goes on like that has no end."""


class ListingCursor:
    """One listing on its way. `marker` is where the next page begins; `new_of` each page that comes."""

    def __init__(self, start_after: str | None) -> None:
        self.marker = start_after
        self._start_after = start_after
        self._last: RemoteObject | Prefix | None = None

    def new_of(self, rows: Rows) -> Rows:
        """The rows of a page that is not empty, without one that was there already. May be empty: there is more.

        Swift names a Prefix once. Some clones name it again at the head of the page that begins behind it, since the
        names below it sort behind it; a page of nothing else is asked for again, from behind those names.

        Raises NotFurtherError where other rows come again: the server, or a cache, ignores `marker`.
        """
        if isinstance(self._last, Prefix) and rows[0] == self._last:
            rows = rows[1:]
            if not rows:
                if self.marker != self._last.name:
                    raise NotFurtherError
                self.marker += _LAST
                return rows
        first, last = rows[0], rows[-1]
        behind = self._last.name if self._last is not None else self._start_after
        if behind is not None:
            # `start_after` may lie below the Prefix that the first page begins with.
            is_around = self._last is None and isinstance(first, Prefix) and behind.startswith(first.name)
            if not is_around and (first.name <= behind or last.name <= behind):
                raise NotFurtherError
        self._last, self.marker = last, last.name
        return rows
