"""The container and object that a request asked for: from its path, or the container from the name of the log. Lines of
S3 say both themselves (`s3_access`)."""

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

NOTHING = "-"
"""What a log writes for an empty field."""
_API = re.compile(r"/v1(?:\.0)?/[^/]+(?:/(.*))?", re.S)
_ORIGIN = re.compile(r"\A[a-z][a-z0-9+.-]*://[^/]*", re.I)
_EDGE = re.compile(r"[^/]+\.(?:rackcdn|rackspacecloud)\.com", re.I)
_BY_DIRECTORY = re.compile(r"(?:^|/)([^/]+)/\d{4}/\d\d/\d\d/\d\d/[^/]+$")
_BY_NAME = re.compile(r"(?:^|/)([^/]+)\.\d{10}-[^/]*$")


class ObjectPath(NamedTuple):
    """A container and an object in it, decoded; `-` if the path does not name one."""

    container: str
    object: str


def split_path(path: str, container: str | None = None) -> ObjectPath:
    """Return the place that a path names; `container` is the container whose log the request is from, if known.

    | path                                  | container | is in               | object           | because            |
    |---------------------------------------|-----------|---------------------|------------------|--------------------|
    | `/v1/AUTH_a/horror/poe/raven.txt`     |           | `horror`            | `poe/raven.txt`  | Swift's API        |
    | `/horror/poe/raven.txt`               |           | `horror`            | `poe/raven.txt`  | the first part     |
    | `/raven.txt`                          |           | `-`                 | `raven.txt`      | the only part      |
    | `/poe/raven.txt`                      | `horror`  | `horror`            | `poe/raven.txt`  | the log names it   |
    | `/horror/poe/raven.txt`               | `horror`  | `horror`            | `poe/raven.txt`  | not named twice    |
    | `/v1/AUTH_a/horror/poe/raven.txt`     | `horror`  | `horror`            | `poe/raven.txt`  | nor by the API     |
    | `/v1/notes/a.txt`                     | `horror`  | `horror`            | `v1/notes/a.txt` | not an API path    |
    | `/c1.r2.rackcdn.com/poe/raven.txt`    | `horror`  | `horror`            | `poe/raven.txt`  | the CDN's host     |
    | `/c1.r2.rackcdn.com/raven.txt`        |           | `c1.r2.rackcdn.com` | `raven.txt`      | the first part     |
    | `http://cdn.example/horror/raven.txt` |           | `horror`            | `raven.txt`      | a proxy's URL      |
    | `/horror/the%20raven.txt?a=1#b`       |           | `horror`            | `the raven.txt`  | decoded, cut       |
    | `/horror/`                            |           | `horror`            | `-`              | a listing          |
    | `/v1/AUTH_a/horror`                   |           | `horror`            | `-`              | the same           |
    | `/`                                   | `horror`  | `horror`            | `-`              | the same           |
    | `*`                                   |           | `-`                 | `-`              | OPTIONS            |
    """
    path = _ORIGIN.sub("", without_query(path), count=1) or "/"
    if not path.startswith("/"):
        return ObjectPath(container or NOTHING, NOTHING)
    api = _API.fullmatch(path)
    rest = (api[1] or "") if api is not None else path[1:]
    first, slash, others = rest.partition("/")
    if container is None:
        if api is None and not slash:
            first, others = "", first
        return ObjectPath(_decoded(first), _decoded(others))
    if decoded_once(first) == container and (api is not None or slash):
        return ObjectPath(container, _decoded(others))
    first, slash, others = path[1:].partition("/")
    return ObjectPath(container, _decoded(others if slash and _EDGE.fullmatch(first) else path[1:]))


def container_of_log(name: str) -> str | None:
    """Return the container that the name of a log (a file or an object) begins with; None: it has no such name.

    Cloud Files named them `CONTAINER.2010021404-UNIQUE.gz`, and later `CONTAINER/2010/02/14/04/UNIQUE.gz`.
    """
    found = _BY_DIRECTORY.search(name) or _BY_NAME.search(name)
    return None if found is None or found[1] in (".", "..") else found[1]


def without_query(path: str) -> str:
    """`/a?b#c` -> `/a`"""
    return path.partition("?")[0].partition("#")[0]


def _decoded(name: str) -> str:
    return decoded_once(name) or NOTHING


def decoded_once(name: str) -> str:
    """Decode percent-encoding. Bytes that are not UTF-8 become lone surrogates, which `printable` shows."""
    if "%" not in name:
        return name
    return unquote_to_bytes(name.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
