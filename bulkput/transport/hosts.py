"""Host names as they go over the wire: a name with other letters than ASCII goes as its A-label (RFC 5890)."""

from urllib.parse import urlsplit

from bulkput.errors import UsageError


def a_label(host: str) -> str:
    """`bücher.example` is `xn--bcher-kva.example`; what is ASCII stays. Raises UsageError for what is no host name.

    By IDNA 2008 with the mapping of UTS 46, as browsers and curl do; names that only the older IDNA 2003 takes (emoji)
    go by that.
    """
    if host.isascii():
        return host
    import idna  # noqa: PLC0415 - its tables, for few users

    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except UnicodeError:
        try:
            return host.encode("idna").decode("ascii")
        except UnicodeError:
            raise UsageError(f"{host!r} is not a host name") from None


def ascii_url(url: str) -> str:
    """A URL with its host as A-label. Raises UsageError for what is no host name."""
    if url.isascii():
        return url
    parts = urlsplit(url)
    login, at, place = parts.netloc.rpartition("@")
    host, colon, port = place.partition(":")
    if host.isascii():  # it is the path that is not, and others say so
        return url
    return parts._replace(netloc=f"{login}{at}{a_label(host)}{colon}{port}").geturl()
