"""Which requests are for the status page."""

import pytest

from bulkput.watch.address import is_ours


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
