"""A destination and its text mean the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.errors import UsageError
from bulkput.stores.base import Destination

odd = st.lists(st.characters() | st.sampled_from(list("/?#%@:\udc80\udcff")), max_size=9).map("".join)
"""Text that is hard to take apart, undecodable bytes of a command line included."""
roots = st.text(min_size=1).filter(lambda text: "/" not in text)


plain = roots.filter(lambda text: not set("{}") & set(text))  # a range of containers: `policy/spread.py`


@given(st.sampled_from(["swift", "s3", "other"]), plain, st.text())
def test_parsing_keeps_container_and_prefix_unchanged(scheme: str, root: str, prefix: str) -> None:
    """`Destination.parse` does not decode, trim or interpret them."""
    destination = Destination.parse(f"{scheme}://{root}/{prefix}")
    assert destination == Destination(scheme, root, prefix)
    assert Destination.parse(str(destination)) == destination


@given(st.text().filter(lambda text: "/" not in text and text not in (".", "..")))
def test_an_http_prefix_of_any_text_survives_escaping(prefix: str) -> None:
    """`str` escapes the prefix, and `parse` decodes it to the same text."""
    destination = Destination("http", "http://h/", prefix)
    assert Destination.parse(str(destination)) == destination
    assert str(destination).isascii()


@given(odd)
def test_any_text_is_a_destination_or_a_usage_error(url: str) -> None:
    """A rejected URL raises no other error; an accepted one can be encoded and parsed again."""
    try:
        destination = Destination.parse(f"swift://{url}")
    except UsageError:
        return
    str(destination).encode()
    assert Destination.parse(str(destination)) == destination


@given(st.text().filter(lambda text: "://" not in text))
def test_a_destination_without_a_scheme_is_a_usage_error(text: str) -> None:
    """A path is not mistaken for a URL."""
    with pytest.raises(UsageError):
        Destination.parse(text)
