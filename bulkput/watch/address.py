"""Where the status page is served, and by which names a browser may ask for it.

A page of a stranger cannot read ours: its browser has another origin for it. But a stranger's name may resolve to
127.0.0.1 (DNS rebinding), and then the origin is the stranger's. So a request is answered only if its Host names this
machine:

| bound to | Host that is answered |
|---|---|
| any | an IP address, `localhost`: nobody can rebind these |
| a name, such as build7.example.org | that name too |
| 0.0.0.0 or ::, so every address | the name of this machine too |

The port in Host does not count: `ssh -L 9000:localhost:8080` asks for localhost:9000.
"""

import re
from collections.abc import Iterable
from ipaddress import ip_address

from bulkput.errors import UsageError, printable
from bulkput.record import frozen

LOOPBACK = "127.0.0.1"
_ADDRESS = re.compile(r"(?:(?P<host>\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+):)?(?P<port>[0-9]{1,5})", re.ASCII)
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?", re.ASCII)


@frozen
class Address:
    """Where to listen. `host` has no brackets; port 0 takes a free one."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it. Names but localhost are not resolved: they count as public."""
        return self.host == "localhost" or (_is_ip(self.host) and ip_address(self.host).is_loopback)

    @property
    def is_everywhere(self) -> bool:
        """Whether it is every address of this machine."""
        return _is_ip(self.host) and ip_address(self.host).is_unspecified

    def url(self, port: int) -> str:
        """What to open in a browser on this machine."""
        if self.is_everywhere:
            return f"http://localhost:{port}/"
        return f"http://[{self.host}]:{port}/" if ":" in self.host else f"http://{self.host}:{port}/"


def parse(text: str) -> Address:
    """`8080`, `0.0.0.0:8080`, `[::1]:8080`, `build7:0`. Raises UsageError."""
    match = _ADDRESS.fullmatch(text.strip())
    if match is None or int(match["port"]) > 65_535:
        raise UsageError(f"{printable(text)}: write PORT or HOST:PORT, as 8080 or 0.0.0.0:8080; 0 takes a free one")
    host = (match["host"] or LOOPBACK).lower()
    if host.startswith("["):
        host = host[1:-1]
        if not _is_ip(host):
            raise UsageError(f"{printable(text)}: [{host}] is no IPv6 address")
    return Address(host, int(match["port"]))


def is_ours(host: str | None, names: Iterable[str]) -> bool:
    """Whether the Host header of a request names this machine: by an IP address, localhost, or one of `names`."""
    match = _HOST.fullmatch(host or "")
    if match is None:
        return False
    name = match[1].strip("[]").lower()
    return _is_ip(name) or name in ("localhost", *(each.lower() for each in names))


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
