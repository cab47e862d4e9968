"""Host names as they are sent: a name that is not ASCII is sent as its A-label (RFC 5890)."""

from urllib.parse import urlsplit

from bulkput.errors import UsageError


def a_label(host: str) -> str:
    """`bücher.example` becomes `xn--bcher-kva.example`; ASCII names stay as they are.

    Follows IDNA 2008 with the mapping of UTS 46, as browsers and curl do, and IDNA 2003 for names that only that takes
    (emoji). Raises UsageError if `host` is not a host name.
    """
    if host.isascii():
        return host
    import idna  # noqa: PLC0415 - large tables, which few users need

    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except UnicodeError:
        try:
            return host.encode("idna").decode("ascii")
        except UnicodeError:
            raise UsageError(f"{host!r} is not a host name") from None


def ascii_url(url: str) -> str:
    """The URL with its host as an A-label. Raises UsageError if that is not a host name."""
    if url.isascii():
        return url
    parts = urlsplit(url)
    login, at, place = parts.netloc.rpartition("@")
    host, colon, port = place.partition(":")
    if host.isascii():  # the path is not ASCII, which `Heads` refuses
        return url
    return parts._replace(netloc=f"{login}{at}{a_label(host)}{colon}{port}").geturl()
