"""When a run may send what was leased to it, and what it asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.errors import UsageError
from bulkput.policy.leased import GRACE_S, Leased, service_url, wanted

REQUESTS, BYTES = Leased(unit=1), Leased(unit=0)


def test_requests_of_a_lease_are_spread_evenly() -> None:
    """Five in a tenth of a second, the first at once."""
    leased, due = REQUESTS.lease(5, 0.1, 100.0), []
    for _ in range(5):
        leased = leased.take(1, 100.0)
        due.append(leased.when(leased.taken))
    assert due == pytest.approx([100.0, 100.02, 100.04, 100.06, 100.08])


def test_what_is_not_leased_yet_has_no_time() -> None:
    """With the next lease it has one."""
    leased = REQUESTS.lease(1, 0.1, 100.0).take(1, 100.0).take(1, 100.0)
    assert leased.when(leased.taken) is None and leased.uncovered == 1
    leased = leased.lease(1, 0.1, 100.05)
    assert leased.when(leased.taken) == pytest.approx(100.1), "the lease follows the one before it"


def test_a_body_waits_until_leases_have_paid_for_all_of_it() -> None:
    """2 500 bytes at 1 000 per lease."""
    leased = BYTES.take(2_500, 100.0)
    for number in range(3):
        assert leased.when(leased.taken) is None
        leased = leased.lease(1_000, 0.1, 100.0 + number / 10)
    assert leased.when(leased.taken) == pytest.approx(100.25)


def test_what_is_not_taken_in_time_is_lost() -> None:
    """A run that was busy with something else does not send it all later."""
    leased = REQUESTS.lease(10, 0.1, 100.0).take(8, 100.1 + GRACE_S)
    assert leased.when(leased.taken) is None and leased.uncovered == 8


def test_what_is_given_back_can_be_taken_again() -> None:
    """A request that was cancelled costs nothing."""
    leased = REQUESTS.lease(1, 0.1, 100.0).take(1, 100.0).give_back(1).take(1, 100.0)
    assert leased.when(leased.taken) == 100.0


leases = st.lists(st.tuples(st.integers(0, 50), st.floats(0, 0.3)), max_size=20)


@given(given_=leases, takes=st.lists(st.floats(0, 0.05), max_size=200))
def test_no_more_is_sent_than_is_leased_and_never_faster(given_: list[tuple[int, float]], takes: list[float]) -> None:
    """Leases and requests come at any time. Requests leave in their order, in no tenth of a second more than two
    leases have, and no request before its lease."""
    events = [(sum(pause for _, pause in given_[: at + 1]), amount) for at, (amount, _) in enumerate(given_)]
    asks = [(sum(takes[: at + 1]), -1) for at in range(len(takes))]
    leased, waiting, sent = REQUESTS, [], []
    total = 0
    for at_s, amount in sorted(events + asks):
        if amount >= 0:
            leased, total = leased.lease(amount, 0.1, at_s), total + amount
        else:
            leased = leased.take(1, at_s)
            waiting.append((at_s, leased.taken))
        while waiting and (due_s := leased.when(waiting[0][1])) is not None:
            sent.append(max(due_s, waiting.pop(0)[0]))
    assert len(sent) <= total
    assert sent == sorted(sent)
    most = max((amount for amount, _ in given_), default=0)
    for begin_s in sent:
        assert sum(begin_s <= each < begin_s + 0.0999 for each in sent) <= 2 * most + 1


@pytest.mark.parametrize(
    ("is_short", "uncovered", "taken", "last", "asked"),
    [
        pytest.param(False, 0, 0, 20, 0, id="idle"),
        pytest.param(False, 0, 7, 20, 7, id="has what it needs"),
        pytest.param(True, 12, 7, 0, 19, id="waits for its first lease"),
        pytest.param(True, 0, 7, 7, 14, id="waits for what is leased"),
        pytest.param(True, 80, 7, 7, 87, id="many wait"),
        pytest.param(True, 0.4, 0, 0, 1, id="a part of a request"),
    ],
)
def test_a_run_asks_for_what_it_needs_next(
    is_short: bool, uncovered: float, taken: float, last: float, asked: int
) -> None:
    """The table of the module."""
    assert wanted(is_short=is_short, uncovered=uncovered, taken=taken, last=last) == asked


def test_a_request_that_may_be_sent_now_is_not_short_of_anything() -> None:
    """The second of two has to wait for half of the lease."""
    leased = REQUESTS.lease(2, 0.1, 100.0).take(1, 100.0)
    assert not leased.is_short(100.0)
    assert leased.take(1, 100.0).is_short(100.0) and not leased.take(1, 100.0).is_short(100.06)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9321", "https://rates.example.org/one/", "http://[::1]:9321/"])
def test_urls_of_services_are_taken(url: str) -> None:
    """Without the slash at the end."""
    assert service_url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:9321",
        "http://",
        "swift://c",
        "http://h:99999",
        "http://h:0",
        "http://h?a=b",
        "http://h/#a",
        "http://h /",
    ],
)
def test_other_urls_are_refused_by_name(url: str) -> None:
    """One sentence, with an example."""
    with pytest.raises(UsageError, match=r"`wire.rate_shared` is a URL such as http://127\.0\.0\.1:9321, not"):
        service_url(url)


def test_a_password_in_the_url_is_not_shown() -> None:
    """The token is in a variable."""
    with pytest.raises(UsageError) as refused:
        service_url("http://me:geheim@127.0.0.1:9321")
    assert "geheim" not in str(refused.value) and "BULKPUT_RATE_TOKEN" in str(refused.value)
