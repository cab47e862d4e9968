"""The proxies that the environment names: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY.

The variables are read once, at the start. The lower-case form of each wins over the upper-case one. In a CGI script
HTTP_PROXY comes from a request header (https://httpoxy.org), so it is ignored there. ALL_PROXY serves schemes without a
variable of their own. curl and requests do the same, but curl always ignores HTTP_PROXY in upper case.
"""

import base64
import re
import sys
from collections.abc import Mapping
from dataclasses import field
from ipaddress import IPv6Address, ip_address, ip_network
from urllib.parse import unquote, urlsplit

from bulkput.errors import UsageError
from bulkput.record import frozen
from bulkput.transport.hosts import a_label

_ASKS_SYSTEM = sys.platform in ("darwin", "win32")
"""On these systems the system's settings apply if the environment names no proxy."""
_URL = (
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?"
    r"(?:(?P<login>[^/?#]*)@)?"
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[^/?#@\[\]:\s\\]+))"
    r"(?::(?P<port>[0-9]{1,5})?)?/?"
)
_WITH_PORT = r"(?P<entry>\[[^\]]*\]|[^:]*):(?P<port>[0-9]{1,5})"
"""HOST:PORT. A bare IPv6 address has more colons and does not match."""
_PORTS = {"http": 80, "https": 443}
_HOW = "write http://HOST:PORT or http://USER:PASSWORD@HOST:PORT, with %23 for #, %2F for /, %3F for ? in the password"


@frozen
class Proxy:
    """One proxy. Its credentials appear neither in its repr nor in its URL."""

    variable: str
    """The variable that named it, for messages."""
    scheme: str
    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)

    @property
    def place(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.place}"

    @property
    def fields(self) -> dict[str, str]:
        """The header that carries the credentials. Made on each call: a stored dict could show up in a traceback."""
        return {"Proxy-Authorization": self.authorization} if self.authorization else {}

    @property
    def denial(self) -> str:
        """The message for the proxy's 407."""
        if self.authorization:
            return f"the proxy {self.place} does not accept the user and password in {self.variable} (407)"
        return (
            f"the proxy {self.place} wants a user and a password (407): write {self.variable} as "
            "http://USER:PASSWORD@HOST:PORT"
        )


def parse_proxy(variable: str, value: str) -> Proxy:
    """Raises UsageError. Its text never quotes `value`, which may hold a password."""
    found = re.fullmatch(_URL, value.strip())
    scheme = ((found["scheme"] or "http") if found is not None else "").lower()  # http is curl's default too
    port = int(found["port"] or _PORTS.get(scheme, 1080)) if found is not None else 0
    if found is None or not 0 < port < 65_536:
        raise UsageError(f"{variable} is not the URL of a proxy: {_HOW}")
    try:
        host = found["ipv6"] or a_label(found["host"])
    except UsageError:
        raise UsageError(f"{variable} names an impossible host: {_HOW}") from None
    authorization = None
    if found["login"]:
        user, _, password = found["login"].partition(":")
        login = f"{unquote(user)}:{unquote(password)}".encode("utf-8", "surrogateescape")
        authorization = "Basic " + base64.b64encode(login).decode("ascii")
    return Proxy(variable, scheme, host, port, authorization)


class Proxies:
    """Chooses the proxy for a URL, once per scheme and host."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Raises UsageError if a variable is not the URL of a proxy."""
        named = {scheme: _named(environ, scheme) or _named(environ, "all") for scheme in ("http", "https")}
        self._by_scheme = {scheme: parse_proxy(*found) for scheme, found in named.items() if found is not None}
        self._asks_system = _ASKS_SYSTEM and not self._by_scheme
        self._exempt = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
        self._found: dict[str, Proxy | None] = {}

    def of(self, url: str) -> Proxy | None:
        """The proxy for `url`, or None. Raises UsageError if its scheme is not supported."""
        if not self._by_scheme and not self._asks_system:
            return None
        end = url.find("/", 8)
        base = url[:end] if end > 0 else url
        if base not in self._found:
            self._found[base] = self._look_up(base)
        return self._found[base]

    def _look_up(self, base: str) -> Proxy | None:
        parts = urlsplit(base)
        host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
        proxy = _of_system(parts.scheme, parts.netloc) if self._asks_system else self._by_scheme.get(parts.scheme)
        if proxy is None or is_exempt(self._exempt, host, port):
            return None
        if proxy.scheme not in _PORTS:  # not an error earlier: other programs may need this proxy for other hosts
            raise UsageError(
                f"{proxy.variable} is {proxy.scheme}://...: only http:// and https:// proxies are supported; "
                f"set NO_PROXY={host} to go without a proxy"
            )
        return proxy


def _named(environ: Mapping[str, str], scheme: str) -> tuple[str, str] | None:
    """A variable and its value. An empty lower-case variable switches the upper-case one off."""
    small, capital = f"{scheme}_proxy", f"{scheme}_proxy".upper()
    if small in environ:
        name = small
    elif capital in environ and not (scheme == "http" and "REQUEST_METHOD" in environ):
        name = capital
    else:
        return None
    return (name, environ[name]) if environ[name].strip() else None


def _of_system(scheme: str, netloc: str) -> Proxy | None:
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415 - 10 ms

    value = None if proxy_bypass(netloc) else getproxies().get(scheme)
    return parse_proxy(f"the system's {scheme} proxy", value) if value else None


def is_exempt(no_proxy: str, host: str, port: int) -> bool:
    """Whether NO_PROXY says that requests to a host take no proxy.

    Entries are separated by commas or spaces. Each may end in `:PORT`, and is one of

    | entry                                       | hosts                                       |
    |---------------------------------------------|---------------------------------------------|
    | `*`                                         | all                                         |
    | `a.example`, `.a.example`, `*.a.example`    | that name, and all that end in `.a.example` |
    | `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]` | that address                                |
    | `192.0.2.0/24`, `2001:db8::/32`             | the addresses of that network (CIDR)        |

    Host names are compared as names, without a lookup. Any other entry is ignored.
    """
    entries = [entry for entry in re.split(r"[,\s]+", no_proxy) if entry]
    return bool(entries) and any(_covers(entry, _plain(host), port) for entry in entries)


def _covers(entry: str, host: str, port: int) -> bool:
    if (found := re.fullmatch(_WITH_PORT, entry)) is not None:
        entry = found["entry"]
        if int(found["port"]) != port:
            return False
    if entry == "*":
        return True
    entry = entry.replace("[", "").replace("]", "")
    if "/" in entry or ":" in host or host.replace(".", "").isdigit():
        return _is_within(entry, host)
    name = _plain(entry.removeprefix("*"))
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _is_within(network: str, address: str) -> bool:
    try:
        found = ip_address(address)
        if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return found in ip_network(network, strict=False)
    except ValueError:  # one of the two is not an address
        return False


def _plain(name: str) -> str:
    """A name for comparison."""
    name = name.strip(".").lower()
    try:
        return a_label(name)
    except UsageError:
        return name
