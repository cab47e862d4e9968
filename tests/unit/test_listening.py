"""Where a server of ours listens, and what is told if it cannot."""

import errno
import os
import socket
from pathlib import Path

import pytest

from bulkput.errors import UsageError
from bulkput.transport.listening import Address, listening, parse, why_not

HAS_IPV6 = Path("/proc/net/if_inet6").exists()
"""Whether an address of it can be bound."""


@pytest.mark.parametrize(
    ("text", "host", "port", "is_loopback"),
    [
        ("8080", "127.0.0.1", 8080, True),
        ("0", "127.0.0.1", 0, True),
        ("00080", "127.0.0.1", 80, True),
        ("localhost:80", "localhost", 80, True),
        ("127.0.0.2:8080", "127.0.0.2", 8080, True),
        ("[::1]:8080", "::1", 8080, True),
        ("0.0.0.0:8080", "0.0.0.0", 8080, False),
        ("[::]:8080", "::", 8080, False),
        ("Build7.example.org:8080", "build7.example.org", 8080, False),
        ("10.0.0.7:65535", "10.0.0.7", 65535, False),
    ],
)
def test_an_address_is_a_port_with_a_host_if_need_be(text: str, host: str, port: int, is_loopback: bool) -> None:
    """Without one it is 127.0.0.1."""
    assert parse(text) == Address(host, port)
    assert parse(text).is_loopback == is_loopback


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "65536",
        "999999999",
        "-1",
        "host:",
        ":80",
        "::1:80",
        "[x]:80",
        "[1.2]:80",
        "a/b:80",
        "http://a:80",
        "８０",
    ],
)
def test_anything_else_is_a_mistake_with_an_example(text: str) -> None:
    """The sentence says how to write it."""
    with pytest.raises(UsageError, match=r"(?s)(write|name) .*8080|up to 65535"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("8080", "http://127.0.0.1:9/"),
        ("[::1]:0", "http://[::1]:9/"),
        ("0.0.0.0:0", "http://localhost:9/"),
        ("[::]:0", "http://localhost:9/"),
        ("build7:0", "http://build7:9/"),
    ],
)
def test_the_url_can_be_opened_on_this_machine(text: str, url: str) -> None:
    """The port is that which the system gave."""
    assert parse(text).url(9) == url


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (UnicodeError("label too long"), "this is no name of a host: name an address of this machine"),
        (socket.gaierror(-3, "Try again"), "no address is known for this name: name an address of this machine"),
        (OSError(errno.EADDRINUSE, "x"), "another program has this port: name another one, or 0 for any that is free"),
        (OSError(errno.EACCES, "x"), "only root may listen on this port: name one above 1023, or 0"),
        (OSError(errno.EADDRNOTAVAIL, "x"), "name one that it has, or 0.0.0.0 for all that it has"),
        (OSError(errno.EAFNOSUPPORT, "x"), "this machine has no IPv6: name an IPv4 address, such as 127.0.0.1"),
        (OSError(errno.EINVAL, "x (y)"), f"({os.strerror(errno.EINVAL)}): name another address, or another port"),
        (OSError("odd"), "nothing can listen there (odd): name another address, or another port"),
    ],
    ids=["no name", "no address", "taken", "root", "not ours", "no IPv6", "any other", "no number"],
)
def test_what_keeps_a_server_from_listening_is_told_with_what_to_do(error: Exception, told: str) -> None:
    """As in the table of the module; the address is as the user writes it."""
    words = why_not(Address("10.0.0.7", 80), error)
    assert words.startswith("10.0.0.7:80: ") and words.endswith(told)
    assert why_not(Address("::1", 80), error).startswith("[::1]:80: ")


@pytest.mark.parametrize(
    ("text", "host"), [("0", "127.0.0.1"), ("localhost:0", "127.0.0.1"), ("[::1]:0", "::1"), ("[::]:0", "::")]
)
def test_a_server_listens_where_it_was_told(text: str, host: str) -> None:
    """On a free port for 0; somebody else cannot listen there then."""
    if ":" in host and not HAS_IPV6:
        pytest.skip("this machine has no IPv6")
    with listening(parse(text)) as server:
        told, port, *_ = server.getsockname()
        assert told == host and port > 0
        with pytest.raises(UsageError, match=f":{port}: another program has this port"):
            listening(Address(host, port))
