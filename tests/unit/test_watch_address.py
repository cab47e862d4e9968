"""Where the status page listens, and which requests are for it."""

import pytest

from bulkput.errors import UsageError
from bulkput.watch.address import Address, is_ours, parse


@pytest.mark.parametrize(
    ("text", "host", "port", "is_loopback"),
    [
        ("8080", "127.0.0.1", 8080, True),
        ("0", "127.0.0.1", 0, True),
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
    "text", ["", "x", "65536", "-1", "host:", ":80", "::1:80", "[x]:80", "[1.2]:80", "a/b:80", "http://a:80", "８０"]
)
def test_anything_else_is_a_mistake_with_an_example(text: str) -> None:
    """The sentence says how to write it."""
    with pytest.raises(UsageError, match=r"PORT or HOST:PORT|no IPv6 address"):
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
    ("host", "names", "is_answered"),
    [
        ("127.0.0.1:8080", (), True),
        ("127.0.0.1", (), True),
        ("localhost:9000", (), True),
        ("LOCALHOST", (), True),
        ("[::1]:8080", (), True),
        ("10.0.0.7:8080", (), True),
        ("evil.example", (), False),
        ("127.0.0.1.evil.example", (), False),
        ("localhost.evil.example:8080", (), False),
        ("build7:8080", (), False),
        ("build7:8080", ("build7",), True),
        ("BUILD7", ("build7",), True),
        ("evil.example", ("build7",), False),
        ("127.0.0.1@evil.example", (), False),
        ("localhost:8080:1", (), False),
        ("", (), False),
        (None, (), False),
    ],
)
def test_only_names_that_nobody_can_rebind_are_answered(
    host: str | None, names: tuple[str, ...], is_answered: bool
) -> None:
    """IP addresses, localhost, and the host that the page was bound to."""
    assert is_ours(host, names) == is_answered
