"""The containers of a Swift account: their names, and what a HEAD of one, or of the account, shows."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from bulkput.errors import StoreError
from bulkput.model import Container
from bulkput.stores.powers import ContainerFacts, ContainerPage, Space
from bulkput.stores.status import error_from_response
from bulkput.stores.swift.listing import MAX_PAGE_BYTES
from bulkput.stores.swift.requests import Request
from bulkput.stores.swift.wire_format import from_json
from bulkput.transport.base import Answer

Ask = Callable[[str, Request], Awaitable[Answer]]
_ACCOUNT = "the account"


async def page_after(ask: Ask, start_after: str) -> ContainerPage:
    """One page of the account's listing. Without `limit`, the cluster sends as many names as it allows. An empty page
    is the last: a page that is not full is no end, since clones have limits of their own.

    Raises StoreError: also if the page does not begin after `start_after`, since then the server ignores the marker.
    """
    query = {"format": "json", **({"marker": start_after} if start_after else {})}
    request = Request("GET", query="?" + urlencode(query), max_answer=MAX_PAGE_BYTES, is_for_account=True)
    answer = await ask("list", request)
    if answer.status == 204:  # as some clones say that there is nothing (more)
        return ContainerPage((), None)
    if answer.status != 200:
        raise error_from_response("list", _ACCOUNT, answer)
    try:
        rows = tuple(map(_row, from_json(answer.body)))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise StoreError("list", _ACCOUNT, "the answer is not a JSON listing", status=answer.status) from None
    if rows and start_after and rows[0].name <= start_after:
        raise StoreError("list", _ACCOUNT, "a page repeats what the one before it had: the server ignores the marker")
    return ContainerPage(rows, rows[-1].name if rows else None)


def _row(row: Mapping[str, Any]) -> Container:
    """Raises KeyError or ValueError without a name."""
    name, objects, size, time = row["name"], row.get("count"), row.get("bytes"), row.get("last_modified")
    if not isinstance(name, str) or not name:
        raise ValueError(name)
    return Container(
        name,
        objects if isinstance(objects, int) else None,
        size if isinstance(size, int) else None,
        time if isinstance(time, str) else None,
    )


async def look_at(ask: Ask, container: str) -> ContainerFacts:
    """Send a HEAD. Raises StoreError, NotFound among them."""
    answer = await ask("stat", Request("HEAD", container=container))
    if answer.status not in (200, 204):
        raise error_from_response("stat", container, answer)
    headers = answer.headers
    return ContainerFacts(
        # Present, with False, where versions were kept once. Versions in another container (X-Versions-Location) are
        # ordinary objects there.
        keeps_versions="X-Versions-Enabled" in headers,
        now_ns=_now_ns(headers),
        archives=headers.get("X-Versions-Enabled", "").lower() == "true"
        or "X-Versions-Location" in headers
        or "X-History-Location" in headers,
        policy=headers.get("X-Storage-Policy"),
        readers=headers.get("X-Container-Read", ""),
        writers=headers.get("X-Container-Write", ""),
        space=_space(headers, "X-Container", "X-Container-Meta-Quota"),
    )


async def look_at_account(ask: Ask, policy: str | None) -> dict[str, Space]:
    """Send a HEAD. Raises StoreError: Denied for users that only some containers let in."""
    answer = await ask("stat", Request("HEAD", is_for_account=True))
    if answer.status not in (200, 204):
        raise error_from_response("stat", _ACCOUNT, answer)
    headers = answer.headers
    # X-Account-Meta-Quota is the older name (swift/common/middleware/account_quotas.py), and Ceph's.
    whole, older = (_space(headers, "X-Account", name) for name in ("X-Account-Quota", "X-Account-Meta-Quota"))
    most_bytes = older.most_bytes if whole.most_bytes is None else whole.most_bytes
    most_objects = older.most_objects if whole.most_objects is None else whole.most_objects
    found = {"account": replace(whole, most_bytes=most_bytes, most_objects=most_objects)}
    if policy is not None:
        used = f"X-Account-Storage-Policy-{policy}"
        found[f"account's policy {policy}"] = _space(headers, used, "X-Account-Quota", f"-Policy-{policy}")
    return found


def _space(headers: Mapping[str, str], used: str, quota: str, of: str = "") -> Space:
    """`used`, `quota` and `of` are what the names of the header fields begin and end with."""
    return Space(
        objects=_number(headers.get(f"{used}-Object-Count")),
        bytes=_number(headers.get(f"{used}-Bytes-Used")),
        most_objects=_number(headers.get(f"{quota}-Count{of}")),
        most_bytes=_number(headers.get(f"{quota}-Bytes{of}")),
    )


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _now_ns(headers: Mapping[str, str]) -> int | None:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - 4 ms that an upload does not pay

    try:
        return int(parsedate_to_datetime(headers["Date"]).timestamp()) * 1_000_000_000
    except (KeyError, ValueError, OverflowError):
        return None
