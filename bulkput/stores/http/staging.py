"""Objects put under a name of their own first, and moved to theirs when they are whole.

For WebDAV servers that write in place: a PUT that breaks off leaves half an object there, over what was good before.

    PUT .bulkput-<token>.part ──> MOVE, Overwrite: F ──412──> PROPFIND: a file? ──> MOVE, Overwrite: T

The first MOVE overwrites nothing: to overwrite a directory is to remove all that is in it (RFC 4918, 9.9.3).
"""

import asyncio
import os
import re
from urllib.parse import unquote

from bulkput.errors import BulkputError, Conflict, StoreError, Unavailable
from bulkput.policy.plain_http import STORED, is_page
from bulkput.stores.http.site import Site, parent_of, path_of
from bulkput.stores.http.webdav import Kind, kind_of
from bulkput.stores.status import error_from_response
from bulkput.transport.base import Answer

_NO_MOVE = (405, 501)
_ODD_DESTINATION = (400, 502)
"""Answers of servers that want the host in the field Destination."""
_LOOKS_S = (0.0, 0.2, 1.0)
"""Pauses before each look at what a PUT has left that broke off: the server may make the file only after the first."""
_MISREAD = re.compile(r"[\x00-\x1f\x7f%?#;\\]")


def can_be_moved_to(url: str) -> bool:
    """Whether every server takes `url` for what it is in the field Destination. WsgiDAV decodes it before it takes it
    apart: what follows a `?` or `;` in a name would be cut, and another object written."""
    return _MISREAD.search(unquote(path_of(url))) is None


def staged(url: str) -> str:
    """A name beside `url` that nobody else has: short, since the name itself may be as long as the server takes."""
    return f"{parent_of(url)}.bulkput-{os.urandom(8).hex()}.part"


async def move(site: Site, part: str, url: str, key: str) -> Answer | None:
    """Move `part` to `url`, over a file that may be there. None: the server has no MOVE, and `part` is removed.

    Raises StoreError: Conflict where a directory is there.
    """
    answer = await _move(site, part, url, key, overwrite="F")
    if answer.status == 412:
        if await kind_of(site, url, operation="put", key=key) is not Kind.FILE:
            raise Conflict("put", key, "a directory of that name is there, or may be", status=412)
        answer = await _move(site, part, url, key, overwrite="T")
    if answer.status in (*_NO_MOVE, 400):  # not a 502, which passes: the next object would be written in place
        error = error_from_response("put", key, answer)
        await discard(site, part, error)
        return None
    if answer.status not in STORED:
        raise error_from_response("put", key, answer)
    if answer.status == 200 and is_page(answer.headers, answer.body):
        raise Unavailable("put", key, "the server answered a MOVE with a page", status=200)
    return answer


async def _move(site: Site, part: str, url: str, key: str, *, overwrite: str) -> Answer:
    """With a path as Destination, which is right on both sides of a proxy that ends TLS; else with the whole URL."""
    answer = await site.ask("MOVE", part, _fields(path_of(url), overwrite), operation="put", key=key)
    if answer.status in _ODD_DESTINATION:
        answer = await site.ask("MOVE", part, _fields(url, overwrite), operation="put", key=key)
    return answer


def _fields(destination: str, overwrite: str) -> dict[str, str]:
    return {"Destination": destination, "Overwrite": overwrite, "Content-Length": "0"}


async def discard(site: Site, part: str, error: BulkputError) -> None:
    """Remove what a broken PUT has left under a name that only we know; `error` says so where that fails."""
    was_answered = isinstance(error, StoreError) and error.status is not None
    try:
        for pause_s in _LOOKS_S[:1] if was_answered else _LOOKS_S:
            await asyncio.sleep(pause_s)
            if await _is_removed(site, part):
                return
    except StoreError as why:
        if isinstance(error, StoreError):
            error.detail += f"; {path_of(part)} may still be there: {why.detail}"


async def _is_removed(site: Site, part: str) -> bool:
    """False: there was nothing. Raises StoreError."""
    if await kind_of(site, part, operation="delete", key=part) is not Kind.FILE:
        return False
    answer = await site.ask("DELETE", part, {"Depth": "0"}, operation="delete", key=part)
    if answer.status not in (*STORED, 404):
        raise error_from_response("delete", part, answer)
    return True
