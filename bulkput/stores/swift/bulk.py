"""Removes many objects by one request (Swift's bulk middleware: POST ACCOUNT?bulk-delete).

The answer's status is always 200. The outcome is in the body, after spaces that keep the connection alive while Swift
works.
"""

from collections.abc import Iterable
from urllib.parse import quote, unquote

from bulkput.record import frozen
from bulkput.stores.swift.wire_format import from_json

QUERY = "?bulk-delete"
HEADERS = {"Content-Type": "text/plain", "Accept": "application/json"}


@frozen
class BulkDeleteResult:
    """What a bulk-delete says: how many it has removed and not found, and the names that it could not remove."""

    removed: int
    not_found: int
    failed: frozenset[str]
    is_refused: bool = False
    """The token is not accepted, or not any more: the request itself is answered 200 all the same."""

    def left_of(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """Of those that it was asked to remove, what may still be there: all, unless it accounts for every one.

        Swift gives up after so many failures (`max_failed_deletes`), or when something breaks: then it has not looked
        at the rest, and does not say which that is. What it has not found may stand under a name that it misread.
        """
        if self.not_found or self.removed + len(self.failed) != len(keys) or not self.failed <= set(keys):
            return keys
        return tuple(key for key in keys if key in self.failed)


def request_body(container: str, keys: Iterable[str]) -> bytes:
    """One percent-encoded path per line."""
    start = quote(container, safe="") + "/"
    return "".join(f"{start}{quote(key)}\n" for key in keys).encode("ascii")


def outcome(container: str, body: bytes) -> BulkDeleteResult | None:
    """Parse the answer's body. None if it is no answer to a bulk-delete: the cluster lacks the middleware."""
    try:
        said = from_json(body)
        failed = frozenset(_key(container, path) for path, _ in said["Errors"])
        statuses = (said.get("Response Status"), *(status for _, status in said["Errors"]))
        is_refused = any(str(status).startswith("401") for status in statuses)
        counts = said["Number Deleted"], said["Number Not Found"]
        if any(type(count) is not int or count < 0 for count in counts):
            return None
        return BulkDeleteResult(*counts, failed, is_refused)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _key(container: str, path: str) -> str:
    """The object of a path as the answer quotes it, with or without a slash before the container."""
    return unquote(path).removeprefix("/").removeprefix(f"{container}/")
