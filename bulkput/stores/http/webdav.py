"""Asks a WebDAV server whether a name is a file or a directory (RFC 4918)."""

import re
from enum import Enum

from bulkput.errors import StoreError
from bulkput.stores.http.site import Site
from bulkput.stores.status import error_from_response

_COLLECTION = re.compile(rb"<(?:[\w.-]+:)?collection[\s/>]")
_NOTHING = (400, 404, 410)
_NO_WEBDAV = (405, 501)


class Kind(Enum):
    """The outcomes of a PROPFIND."""

    FILE = "a file"
    DIRECTORY = "a directory, or perhaps one"
    NOTHING = "nothing is there, or the server knows no WebDAV"
    NO_WEBDAV = "the server knows no WebDAV, or does not let it pass"


async def kind_of(site: Site, url: str, *, operation: str, key: str) -> Kind:
    """Ask by PROPFIND (9.1). Raises StoreError if the server does not say."""
    answer = await site.ask("PROPFIND", url, {"Depth": "0"}, operation=operation, key=key)
    if answer.status in _NO_WEBDAV:
        return Kind.NO_WEBDAV
    if answer.status in _NOTHING:
        return Kind.NOTHING
    if answer.status == 403:
        raise StoreError(operation, key, "the server does not say whether it is a directory", status=403)
    if answer.status != 207:
        raise error_from_response(operation, key, answer)
    is_file = b"resourcetype" in answer.body and not _COLLECTION.search(answer.body)
    return Kind.FILE if is_file else Kind.DIRECTORY
