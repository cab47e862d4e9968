"""Whether an object lives long enough to be skipped: the table of `policy/expiry.py`."""

from dataclasses import replace

import pytest

from bulkput.model import ObjectHeaders, RemoteObject
from bulkput.options import HeaderOptions, UploadOptions
from bulkput.policy.expiry import lives_long_enough, shortest_life_s, wanted_life_s
from bulkput.rule_options import Rule

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
    """It is set by `expires_in_s` or by the store's own header fields; those of one object are read alike."""
    assert wanted_life_s(headers, NOW) == wanted_s
    assert wanted_life_s(ObjectHeaders(expires_in_s=headers.expires_in_s, extra=headers.extra), NOW) == wanted_s


@pytest.mark.parametrize(
    ("life_s", "by_rules_s", "shortest_s"),
    [(None, (), None), (9, (), 9), (None, (None,), None), (None, (8, None, 7), 7), (6, (7,), 6), (9, (7,), 7)],
)
def test_the_shortest_life_is_that_of_an_option_or_a_rule(
    life_s: int | None, by_rules_s: tuple[int | None, ...], shortest_s: int | None
) -> None:
    """A journal's rows count no longer than that."""
    rules = tuple(Rule(match=("*",), expires_in_s=each) for each in by_rules_s)
    assert shortest_life_s(UploadOptions(headers=HeaderOptions(expires_in_s=life_s), rules=rules)) == shortest_s
