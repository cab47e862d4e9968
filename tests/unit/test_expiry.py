"""Whether an object lives long enough to be skipped: the table of `policy/expiry.py`."""

from dataclasses import replace

import pytest

from bulkput.model import RemoteObject
from bulkput.options import HeaderOptions
from bulkput.policy.expiry import lives_long_enough, wanted_life_s

NOW = 1_000_000
HEAD = RemoteObject("k", 10, "a" * 32, "text/plain", None)


@pytest.mark.parametrize(
    ("left_s", "wanted_s", "is_enough"),
    [
        (None, None, True),
        (None, 100, True),
        (1, None, True),
        (89, 100, False),
        (90, 100, True),
        (100, 100, True),
        (1_000, 100, True),
    ],
)
def test_nine_tenths_of_the_wanted_life_are_enough(left_s: int | None, wanted_s: int | None, is_enough: bool) -> None:
    """An object without an expiry lives long enough."""
    head = replace(HEAD, expires_at=NOW + left_s if left_s is not None else None)
    assert lives_long_enough(head, wanted_s, NOW) is is_enough


@pytest.mark.parametrize(
    ("left_s", "wanted_s", "is_enough"),
    [(None, None, True), (None, 100, True), (1, None, False), (10**9, None, False), (89, 100, False), (90, 100, True)],
)
def test_where_extras_expire_an_object_that_expires_does_not_live_long_enough(
    left_s: int | None, wanted_s: int | None, is_enough: bool
) -> None:
    """An earlier run has let it expire. A lifetime that this run sets decides by itself."""
    head = replace(HEAD, expires_at=NOW + left_s if left_s is not None else None)
    assert lives_long_enough(head, wanted_s, NOW, extras_expire=True) is is_enough


@pytest.mark.parametrize("wanted_s", [None, 100])
def test_a_missing_object_does_not_live_long_enough(wanted_s: int | None) -> None:
    """The object is listed, but HEAD does not find it."""
    assert not lives_long_enough(None, wanted_s, NOW)
    assert not lives_long_enough(None, wanted_s, NOW, extras_expire=True)


@pytest.mark.parametrize(
    ("headers", "wanted_s"),
    [
        (HeaderOptions(), None),
        (HeaderOptions(expires_in_s=7), 7),
        (HeaderOptions(extra=(("x-delete-after", "8"),)), 8),
        (HeaderOptions(extra=(("X-Delete-At", str(NOW + 9)),)), 9),
        (HeaderOptions(extra=(("X-Delete-At", "tomorrow"),)), None),
    ],
)
def test_the_wanted_life_comes_from_the_headers(headers: HeaderOptions, wanted_s: float | None) -> None:
    """It is set by `expires_in_s` or by the store's own header fields."""
    assert wanted_life_s(headers, NOW) == wanted_s
