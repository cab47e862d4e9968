"""Parses the raw request target into account, container and object name, exactly once.

Object names are opaque to Swift: `a/../b`, `//`, `./x`, a trailing `/`, `;`, `+` and a newline are all names. So the
target is percent-decoded once and then split at its first slashes, and nothing is normalised. As in Swift the decoding
comes first (WSGI, PEP 3333: PATH_INFO is decoded): `%2F` separates just as `/` does.
"""

import enum
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_to_bytes


class ResourceKind(enum.StrEnum):
    """The kind of resource; `OTHER` is a path Swift does not have. A str: it hashes in C, and tests write words."""

    AUTH = "auth"
    INFO = "info"
    HEALTH = "healthcheck"
    ACCOUNT = "account"
    CONTAINER = "container"
    OBJECT = "object"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Target:
    """One resource. `path` is the whole decoded path; `error` says why it cannot be a name (then `kind` is OTHER)."""

    kind: ResourceKind
    path: str = ""
    account: str = ""
    container: str = ""
    name: str = ""
    query: str = ""
    error: str = ""


def parse_target(raw: str) -> Target:
    """Parse a request target (RFC 9112 section 3.2: origin-form, or absolute-form as proxies send it)."""
    if not raw.startswith("/"):
        _, _, rest = raw.partition("://")
        _, slash, rest = rest.partition("/")
        raw = slash + rest
    path, _, query = raw.partition("?")
    try:
        text = path if path.isascii() and "%" not in path else _decode(path)
    except UnicodeError:
        return Target(ResourceKind.OTHER, error="Invalid UTF8 or contains NULL")
    if "\0" in text:
        return Target(ResourceKind.OTHER, error="Invalid UTF8 or contains NULL")
    if not text.startswith("/v1/"):
        return Target(_FIXED.get(text, ResourceKind.OTHER), path=text, query=query)
    # Everything after the slash behind the container is the object's name, further slashes included.
    account, _, rest = text[4:].partition("/")
    container, _, name = rest.partition("/")
    if not account or (name and not container):
        return Target(ResourceKind.OTHER, path=text, query=query)
    kind = ResourceKind.OBJECT if name else ResourceKind.CONTAINER if container else ResourceKind.ACCOUNT
    return Target(kind, path=text, account=account, container=container, name=name, query=query)


def parse_query(query: str) -> dict[str, str]:
    """The parameters of a query; if one is repeated, the last counts. Raises UnicodeError if one is not UTF-8."""
    return dict(parse_qsl(query, keep_blank_values=True, errors="strict"))


def _decode(path: str) -> str:
    # aiohttp passes bytes outside ASCII as surrogates: turn them back into bytes, then decode once.
    return unquote_to_bytes(path.encode("utf-8", "surrogateescape")).decode("utf-8")


_FIXED = {
    "/auth/v1.0": ResourceKind.AUTH,
    "/auth/v1.0/": ResourceKind.AUTH,
    "/auth": ResourceKind.AUTH,
    "/info": ResourceKind.INFO,
    "/healthcheck": ResourceKind.HEALTH,
}
