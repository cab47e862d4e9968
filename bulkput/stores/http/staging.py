"""Uploads an object under a temporary name, and moves it to its own name once it is complete.

For WebDAV servers that write in place: on them, a PUT that breaks off replaces a good object by half a new one.

    PUT .bulkput-<token>.part ──> MOVE, Overwrite: F ──412──> PROPFIND: a file? ──> MOVE, Overwrite: T

The first MOVE overwrites nothing: a MOVE onto a directory would remove everything in it (RFC 4918, 9.9.3).
"""

import asyncio
import os
import re
from urllib.parse import unquote

from bulkput.errors import BulkputError, Conflict, Exists, StoreError, Unavailable
from bulkput.policy.plain_http import STORED, is_page
from bulkput.stores.http.site import Site, parent_of, path_of
from bulkput.stores.http.webdav import Kind, kind_of
from bulkput.stores.status import error_from_response
from bulkput.transport.base import Answer

_NO_MOVE = (405, 501)
_ODD_DESTINATION = (400, 502)
"""Answers of servers that need the host in the Destination header."""
_LOOKS_S = (0.0, 0.2, 1.0)
"""Pauses before each look for the file of a broken PUT: the server may create it only after the first look."""
_MISREAD = re.compile(r"[\x00-\x1f\x7f%?#;\\]")


def can_be_moved_to(url: str) -> bool:
    """Whether every server reads `url` correctly in the Destination header. WsgiDAV decodes it before it parses it: it
    would cut a name at a `?` or `;`, and write another object."""
    return _MISREAD.search(unquote(path_of(url))) is None


def staged(url: str) -> str:
    """A unique temporary URL in the directory of `url`. It does not contain the object's name, which may already have
    the greatest length that the server accepts."""
    return f"{parent_of(url)}.bulkput-{os.urandom(8).hex()}.part"


async def move(site: Site, part: str, url: str, key: str, *, only_new: bool = False) -> Answer | None:
    """Move `part` to `url`, replacing a file unless `only_new`. Returns None if the server has no MOVE; `part` is then
    removed.

    Raises Exists if `only_new` and a file is there, Conflict if a directory may be at `url`, and StoreError if the
    server refuses.
    """
    answer = await _move(site, part, url, key, overwrite="F")
    if answer.status == 412:
        if await kind_of(site, url, operation="put", key=key) is not Kind.FILE:
            raise Conflict("put", key, "there is, or may be, a directory of that name", status=412)
        if only_new:
            raise Exists("put", key, "a file of that name is there", status=412)
        answer = await _move(site, part, url, key, overwrite="T")
    # Not 502, which is temporary: after None, all later objects are written in place.
    if answer.status in (*_NO_MOVE, 400):
        error = error_from_response("put", key, answer)
        await discard(site, part, error)
        return None
    if answer.status not in STORED:
        raise error_from_response("put", key, answer)
    if answer.status == 200 and is_page(answer.headers, answer.body):
        raise Unavailable("put", key, "the server answered a MOVE with a page", status=200)
    return answer


async def _move(site: Site, part: str, url: str, key: str, *, overwrite: str) -> Answer:
    """MOVE with a path as Destination, which is valid on both sides of a TLS proxy; if refused, with the whole URL."""
    answer = await site.ask("MOVE", part, _fields(path_of(url), overwrite), operation="put", key=key)
    if answer.status in _ODD_DESTINATION:
        answer = await site.ask("MOVE", part, _fields(url, overwrite), operation="put", key=key)
    return answer


def _fields(destination: str, overwrite: str) -> dict[str, str]:
    return {"Destination": destination, "Overwrite": overwrite}


async def discard(site: Site, part: str, error: BulkputError) -> None:
    """Remove the temporary file of a broken PUT. If that fails, the detail of `error` says that it may still exist."""
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
    """Remove `part` if it is a file; False if it is not. Raises StoreError if a request fails."""
    if await kind_of(site, part, operation="delete", key=part) is not Kind.FILE:
        return False
    answer = await site.ask("DELETE", part, {"Depth": "0"}, operation="delete", key=part)
    if answer.status not in (*STORED, 404):
        raise error_from_response("delete", part, answer)
    return True
