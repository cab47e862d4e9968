"""A destination and its text mean the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.errors import UsageError
from bulkput.stores.base import Destination

odd = st.lists(st.characters() | st.sampled_from(list("/?#%@:\udc80\udcff")), max_size=9).map("".join)
"""Text that is hard to take apart, undecodable bytes of a command line included."""
roots = st.text(min_size=1).filter(lambda text: "/" not in text)


@given(st.sampled_from(["swift", "s3", "other"]), roots, st.text())
def test_a_container_and_a_prefix_come_back_as_they_were(scheme: str, root: str, prefix: str) -> None:
    """Nothing in them is decoded, trimmed or interpreted."""
    destination = Destination.parse(f"{scheme}://{root}/{prefix}")
    assert destination == Destination(scheme, root, prefix)
    assert Destination.parse(str(destination)) == destination


@given(st.text().filter(lambda text: "/" not in text and text not in (".", "..")))
def test_an_http_path_of_any_text_can_be_written(prefix: str) -> None:
    """Escaped on the way out, the same on the way in."""
    destination = Destination("http", "http://h/", prefix)
    assert Destination.parse(str(destination)) == destination
    assert str(destination).isascii()


@given(odd)
def test_any_text_is_a_destination_or_a_usage_error(url: str) -> None:
    """Never a traceback; what is accepted can be encoded and written again."""
    try:
        destination = Destination.parse(f"swift://{url}")
    except UsageError:
        return
    str(destination).encode()
    assert Destination.parse(str(destination)) == destination


@given(st.text().filter(lambda text: "://" not in text))
def test_a_text_without_a_scheme_is_no_destination(text: str) -> None:
    """A path is not mistaken for a URL."""
    with pytest.raises(UsageError):
        Destination.parse(text)
