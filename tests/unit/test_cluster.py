"""Addresses of Dask schedulers, and what Dask may show of a call."""

import pickle
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput import __version__
from bulkput.errors import UsageError
from bulkput.scale.cluster import Cluster, is_address, is_in_the_open
from bulkput.scale.dask_process import Sealed, bulkput_call
from bulkput.scale.needs import why_unfit


@pytest.mark.parametrize("address", ["tcp://10.0.0.1:8786", "tls://node-1.example.org:8786", "tcp://[::1]:8786"])
def test_tcp_and_tls_with_host_and_port_are_addresses(address: str) -> None:
    """As Dask writes them."""
    assert is_address(address)
    assert Cluster(address).address == address


@pytest.mark.parametrize("address", ["", "node:8786", "tcp://node", "http://node:8786", "tcp://a b:1", "tcp://a:1/x"])
def test_other_words_are_no_addresses(address: str) -> None:
    """UsageError says the form."""
    with pytest.raises(UsageError, match="tcp://HOST:PORT"):
        Cluster(address)


@pytest.mark.parametrize(
    ("address", "is_open"),
    [
        ("tcp://10.0.0.1:8786", True),
        ("tcp://node-1:8786", True),
        ("tcp://127.0.0.1:8786", False),
        ("tcp://localhost:8786", False),
        ("tcp://[::1]:8786", False),
        ("tls://10.0.0.1:8786", False),
    ],
)
def test_tcp_to_another_machine_can_be_read_on_the_way(address: str, is_open: bool) -> None:
    """TLS and loopback cannot."""
    assert is_in_the_open(address) == is_open


@given(st.recursive(st.text(min_size=8), st.lists))
def test_what_is_sealed_is_opened_as_it_was_and_shows_nothing(value: object) -> None:
    """Also when it was pickled by Dask in between."""
    sealed = pickle.loads(pickle.dumps(Sealed(value)))
    assert sealed.opened() == value
    assert repr(sealed) == str(sealed) == f"<{len(pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL))} bytes>"


def test_a_call_answers_sealed_too() -> None:
    """The function gets what was sealed."""
    assert bulkput_call(len, Sealed("four")).opened() == 4


def test_a_process_says_what_it_lacks() -> None:
    """Version, Python, and the first source that it does not see."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert why_unfit((__version__, python, (b"/",))) is None
    assert why_unfit(("0.0", python, ())) == f"has bulkput {__version__}, and this is 0.0: install the same version"
    assert why_unfit((__version__, "2.7", ())) == f"has Python {python}, and this is 2.7: install the same version"
    assert why_unfit((__version__, python, (b"/", b"/no\xff", b"/nope"))) == (
        "does not see /no\\xff: mount the sources there, at the same path"
    )
