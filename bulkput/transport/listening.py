"""Where the status page or the service of a shared rate listens. If nothing can, a sentence says what to do:

| what is wrong | what the sentence says to do |
|---|---|
| another program has the port | name another port, or 0 |
| the port is below 1024, and the user is not root | name one above 1023, or 0 |
| the name has no address | name an address of this machine |
| the address is another machine's | name one of this machine's, or all of them |
| the machine has no IPv6 | name an IPv4 address |
| anything else | name another one; what the system says stands beside it |
"""

import errno
import os
import re
import socket
from ipaddress import ip_address

from bulkput.errors import UsageError, printable
from bulkput.record import frozen

LOOPBACK = "127.0.0.1"
_ADDRESS = re.compile(r"(?:(?P<host>\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+):)?(?P<port>[0-9]{1,9})", re.ASCII)


@frozen
class Address:
    """Where to listen. `host` has no brackets; port 0 takes a free one."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it. Names but localhost are not resolved: they count as public."""
        return self.host == "localhost" or (is_ip(self.host) and ip_address(self.host).is_loopback)

    @property
    def is_everywhere(self) -> bool:
        """Whether it is every address of this machine."""
        return is_ip(self.host) and ip_address(self.host).is_unspecified

    def url(self, port: int) -> str:
        """What to open in a browser on this machine."""
        host = "localhost" if self.is_everywhere else self.host
        return f"http://{_bracketed(host)}:{port}/"

    def __str__(self) -> str:
        """As the user writes it."""
        return f"{_bracketed(self.host)}:{self.port}"


def parse(text: str) -> Address:
    """`8080`, `0.0.0.0:8080`, `[::1]:8080`, `build7:0`. Raises UsageError."""
    match = _ADDRESS.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"{printable(text)}: write PORT or HOST:PORT, as 8080, 0.0.0.0:8080 or [::1]:8080; 0 takes a free port"
        )
    if (port := int(match["port"])) > 65_535:
        raise UsageError(f"{printable(text)}: a port is a number up to 65535: name one, or 0 for any that is free")
    host = (match["host"] or LOOPBACK).lower()
    if host.startswith("["):
        host = host[1:-1]
        if not is_ip(host):
            raise UsageError(f"{printable(text)}: [{host}] is no IPv6 address: write one as [::1]:8080")
    return Address(host, port)


def listening(address: Address) -> socket.socket:
    """A socket that listens there. Raises UsageError."""
    # "localhost" may be two addresses, and port 0 would give each a port of its own.
    host = LOOPBACK if address.host == "localhost" else address.host
    try:
        family, _, _, _, place = socket.getaddrinfo(
            host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(place[:2], family=family, dualstack_ipv6=host == "::")
    except (OSError, UnicodeError) as error:
        raise UsageError(why_not(address, error)) from None


def why_not(address: Address, error: Exception) -> str:
    """Why nothing can listen there, and what to do: see above. `error` is an OSError, or a UnicodeError of the name."""
    match error:
        case UnicodeError():  # a label of more than 63 letters, or an empty one
            why = "this is no name of a host: name an address of this machine"
        case socket.gaierror():
            why = "no address is known for this name: name an address of this machine"
        case OSError(errno=errno.EADDRINUSE):
            why = "another program has this port: name another one, or 0 for any that is free"
        case OSError(errno=errno.EACCES):
            why = "only root may listen on this port: name one above 1023, or 0"
        case OSError(errno=errno.EADDRNOTAVAIL):
            everywhere = "[::]" if ":" in address.host else "0.0.0.0"  # noqa: S104 - for the user to choose
            why = f"this is no address of this machine: name one that it has, or {everywhere} for all that it has"
        case OSError(errno=errno.EAFNOSUPPORT):
            why = f"this machine has no IPv6: name an IPv4 address, such as {LOOPBACK}"
        case OSError(errno=int(number)):
            why = f"nothing can listen there ({os.strerror(number)}): name another address, or another port"
        case _:
            why = f"nothing can listen there ({error}): name another address, or another port"
    return f"{address}: {why}"


def is_ip(text: str) -> bool:
    """Whether it is an IP address, without brackets."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
