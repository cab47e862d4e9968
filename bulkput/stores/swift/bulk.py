"""Many objects removed by one request (Swift's middleware bulk: POST ACCOUNT?bulk-delete).

The answer's status is 200 whatever happened; what happened stands in its body, behind spaces that keep the connection
alive meanwhile.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote

QUERY = "?bulk-delete"
HEADERS = {"Content-Type": "text/plain", "Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a bulk-delete says: `failed` are names and their statuses, `status` is that of the whole."""

    status: int
    detail: str
    failed: tuple[tuple[str, int], ...]


def request_body(container: str, keys: Iterable[str]) -> bytes:
    """A path per line, percent-encoded."""
    start = quote(container, safe="") + "/"
    return "".join(f"{start}{quote(key)}\n" for key in keys).encode("ascii")


def outcome(container: str, body: bytes) -> Outcome | None:
    """Taken from the answer's body; None where that is no answer to a bulk-delete: there is no such middleware."""
    try:
        said = json.loads(body)
        status = int(said["Response Status"].partition(" ")[0])
        failed = tuple((_key(container, path), int(why.partition(" ")[0])) for path, why in said["Errors"])
        int(said["Number Deleted"]), int(said["Number Not Found"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return Outcome(status, str(said.get("Response Body", "")), failed)


def _key(container: str, path: str) -> str:
    """The object of a path as the answer quotes it, with or without a slash before the container."""
    return unquote(path).removeprefix("/").removeprefix(f"{container}/")
