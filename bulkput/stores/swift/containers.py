"""The containers of a Swift account: their names, and what a HEAD of one shows."""

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlencode

from bulkput.errors import StoreError
from bulkput.stores.powers import ContainerFacts
from bulkput.stores.status import error_from_response
from bulkput.stores.swift.listing import MAX_PAGE_BYTES
from bulkput.stores.swift.requests import Request
from bulkput.stores.swift.wire_format import from_json
from bulkput.transport.base import Answer

Ask = Callable[[str, Request], Awaitable[Answer]]
_ACCOUNT = "the account"


async def names_after(ask: Ask, start_after: str) -> tuple[str, ...]:
    """One page of the account's listing. Without `limit`, the cluster sends as many names as it allows.

    Raises StoreError: also if the page does not begin after `start_after`, since then the server ignores the marker.
    """
    query = {"format": "json", **({"marker": start_after} if start_after else {})}
    request = Request("GET", query="?" + urlencode(query), max_answer=MAX_PAGE_BYTES, is_for_account=True)
    answer = await ask("list", request)
    if answer.status == 204:  # as some clones say that there is nothing (more)
        return ()
    if answer.status != 200:
        raise error_from_response("list", _ACCOUNT, answer)
    try:
        names = tuple(row["name"] for row in from_json(answer.body))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        names = ("",)
    if not all(isinstance(name, str) and name for name in names):
        raise StoreError("list", _ACCOUNT, "the answer is not a JSON listing", status=answer.status)
    if names and start_after and names[0] <= start_after:
        raise StoreError("list", _ACCOUNT, "a page repeats what the one before it had: the server ignores the marker")
    return names


async def look_at(ask: Ask, container: str) -> ContainerFacts:
    """Send a HEAD. Raises StoreError, NotFound among them."""
    answer = await ask("stat", Request("HEAD", container=container))
    if answer.status not in (200, 204):
        raise error_from_response("stat", container, answer)
    # Present, with False, where versions were kept once. Versions in another container (X-Versions-Location) are
    # ordinary objects there.
    return ContainerFacts("X-Versions-Enabled" in answer.headers, _now_ns(answer.headers))


def _now_ns(headers: Mapping[str, str]) -> int | None:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - 4 ms that an upload does not pay

    try:
        return int(parsedate_to_datetime(headers["Date"]).timestamp()) * 1_000_000_000
    except (KeyError, ValueError, OverflowError):
        return None
