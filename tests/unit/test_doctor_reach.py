"""How the doctor judges names, connections, clocks and latencies, by tables."""

import errno
import socket
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.doctor.finding import Finding, Verdict
from bulkput.doctor.latency import Series, latency, percentile
from bulkput.doctor.reach import (
    Attempt,
    Lookup,
    Outcome,
    Reading,
    clock,
    connected,
    failed_lookup,
    outcome_of,
    resolved,
    skew_of,
)
from bulkput.doctor.texts import days_text, ms_text, place_text, span_text

NOW = 1_800_000_000.0
OPEN, SILENT, REFUSED, NO_ROUTE = Outcome.OPEN, Outcome.SILENT, Outcome.REFUSED, Outcome.NO_ROUTE
V4, V4_TOO, V6 = "192.0.2.1", "192.0.2.2", "2001:db8::1"


def judged(finding: Finding) -> tuple[str, str]:
    return finding.verdict.value, finding.cause


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "unknown-host"),
        (socket.gaierror(socket.EAI_NODATA, "No address associated with hostname"), "unknown-host"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), "no-resolver"),
        (socket.gaierror(socket.EAI_FAIL, "Non-recoverable failure"), "no-resolver"),
        (TimeoutError(), "no-resolver"),
        (UnicodeError("label too long"), "unknown-host"),
    ],
)
def test_a_failed_lookup_says_whether_the_name_or_the_resolver_is_wrong(error: Exception, cause: str) -> None:
    """Both fail the look, with different advice."""
    finding = resolved(failed_lookup("store.example", error, 0.1))
    assert judged(finding) == ("fail", cause)
    assert finding.text.startswith("store.example: ") and finding.advice


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        (Lookup("store.example", (V4, V6), 0.01), ("ok", "")),
        (Lookup("store.example", (V4,), 0.99), ("ok", "")),
        (Lookup("store.example", (V4,), 5.01), ("warn", "slow-resolver")),
        (Lookup(V6, (V6,), 0.0), ("ok", "")),
    ],
)
def test_a_lookup_of_a_second_is_slow(look: Lookup, expected: tuple[str, str]) -> None:
    """All addresses are named."""
    finding = resolved(look)
    assert judged(finding) == expected
    assert all(address in finding.text for address in look.addresses)


@pytest.mark.parametrize(
    ("number", "outcome"),
    [
        (errno.ECONNREFUSED, REFUSED), (errno.ENETUNREACH, NO_ROUTE), (errno.EHOSTUNREACH, NO_ROUTE),
        (errno.EADDRNOTAVAIL, NO_ROUTE), (errno.ETIMEDOUT, SILENT), (errno.ECONNRESET, Outcome.BROKEN),
    ],
)  # fmt: skip
def test_an_error_number_becomes_an_outcome(number: int, outcome: Outcome) -> None:
    """OSError makes the subclass of the number; a TimeoutError of asyncio has none."""
    assert outcome_of(OSError(number, "")) is outcome
    assert outcome_of(TimeoutError()) is SILENT


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        ([(V4, OPEN, 0.1)], ("ok", "")),
        ([(V4, OPEN, 0.1), (V6, NO_ROUTE, 0.0)], ("ok", "")),  # no IPv6 on this machine
        ([(V4, OPEN, 0.1), (V4_TOO, NO_ROUTE, 0.0)], ("warn", "dead-address")),
        ([(V4, OPEN, 0.1), (V6, REFUSED, 0.0)], ("warn", "dead-address")),
        ([(V4, SILENT, 5.0), (V4_TOO, OPEN, 0.1)], ("warn", "dead-address")),
        ([(V4, OPEN, 1.01)], ("warn", "slow-connect")),
        ([(V4, REFUSED, 0.0)], ("fail", "connection-refused")),
        ([(V4, SILENT, 5.0), (V4_TOO, SILENT, 5.0)], ("fail", "silent")),
        ([(V6, NO_ROUTE, 0.0)], ("fail", "no-route")),
        ([(V4, Outcome.BROKEN, 0.0)], ("fail", "no-connection")),
        (
            [(V6, NO_ROUTE, 0.0), (V4, REFUSED, 0.0)],
            ("fail", "connection-refused"),
        ),  # the address that has a route tells more
    ],
)
def test_each_address_counts(attempts: list[tuple[str, Outcome, float]], expected: tuple[str, str]) -> None:
    """An address without a route does not count if no other address of its kind can be reached."""
    finding = connected("store.example", 443, [Attempt(*each) for each in attempts])
    assert judged(finding) == expected
    assert all(address in finding.text for address, _, _ in attempts)
    assert bool(finding.advice) == (finding.verdict is not Verdict.OK)


def read(skew_s: float, took_s: float = 0.1) -> Reading:
    """The clock of a server that is ahead by `skew_s`, as its Date shows it: cut to whole seconds."""
    return Reading(formatdate(int(NOW + took_s / 2 + skew_s), usegmt=True), NOW, NOW + took_s, 401)


@pytest.mark.parametrize(
    ("skew_s", "expected"),
    [
        (0.0, ("ok", "")), (0.9, ("ok", "")), (-0.9, ("ok", "")), (29.0, ("ok", "")), (31.0, ("warn", "clock")),
        (3600.0, ("warn", "clock")), (-86_400.0, ("warn", "clock")),
    ],
)  # fmt: skip
def test_half_a_minute_is_the_limit_of_clocks(skew_s: float, expected: tuple[str, str]) -> None:
    """Its side is told."""
    finding = clock("store.example", read(skew_s))
    assert judged(finding) == expected
    if finding.cause:
        assert ("ahead of" if skew_s > 0 else "behind") in finding.text


@given(st.floats(-1e6, 1e6), st.floats(0, 10))
def test_the_skew_is_right_to_the_second_and_half_the_way(skew_s: float, took_s: float) -> None:
    """A Date says whole seconds, and was written at some moment between request and answer."""
    found = skew_of(read(skew_s, took_s))
    assert found is not None and abs(found - skew_s) <= 1 + took_s / 2 + 1e-3


def test_two_servers_that_agree_show_whose_clock_is_wrong() -> None:
    """The login's and the store's."""
    assert "this machine's clock is the wrong one" in clock("b", read(3600.0), others=[3601.0]).advice
    assert "compare both with a third" in clock("b", read(3600.0), others=[0.0]).advice


@pytest.mark.parametrize("date", [None, "", "yesterday", "Fri, 31 Feb 2026 00:00:00 GMT"])
def test_without_a_readable_date_the_clock_is_skipped(date: str | None) -> None:
    """uWSGI sends none."""
    assert judged(clock("b", Reading(date, NOW, NOW))) == ("skipped", "")


def test_a_server_without_http_fails() -> None:
    """The transport's words are in the text."""
    finding = clock("b", Reading(None, NOW, NOW, why="this is not HTTP"))
    assert judged(finding) == ("fail", "no-http") and "this is not HTTP" in finding.text


@pytest.mark.parametrize(
    ("times", "failed", "expected"),
    [
        ([0.01] * 20, [], ("ok", "")),
        ([0.01] * 19 + [0.9], [], ("ok", "")),
        ([0.01] * 19 + [1.1], [], ("warn", "outliers")),
        ([0.5] * 19 + [1.1], [], ("ok", "")),  # far away, and no outlier
        ([0.01] * 19, ["put x: 503"], ("warn", "unsteady")),
        ([], ["put x: 409"], ("skipped", "")),
        ([], [], ("skipped", "")),
    ],
)
def test_failures_and_outliers_are_warnings(times: list[float], failed: list[str], expected: tuple[str, str]) -> None:
    """An outlier takes a second and ten times the median."""
    series = Series(what="PUTs of 4 KiB", seconds=tuple(times), failed=tuple(failed))
    assert judged(latency(series, in_flight=64)) == expected


def test_percentiles_are_by_nearest_rank() -> None:
    """The 99th of fewer than a hundred values is not shown, since it is the maximum."""
    hundred = [number / 1000 for number in range(1, 101)]
    assert [percentile(hundred, share) for share in (0.0, 0.5, 0.9, 0.99, 1.0)] == [0.001, 0.05, 0.09, 0.099, 0.1]
    assert percentile([7.0], 0.99) == 7.0
    text = latency(Series(what="HEADs", seconds=tuple(hundred)), in_flight=64).text
    assert text == "100 HEADs: p50 50 ms, p90 90 ms, p99 99 ms, max 100 ms"
    text = latency(Series(what="PUTs of 4 KiB", seconds=(0.1, 0.2, 0.3)), in_flight=64).text
    assert text == "3 PUTs of 4 KiB: p50 200 ms, p90 300 ms, max 300 ms; 64 in flight store 320/s at most"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3600, "1 h"), (5400, "1 h 30 min"), (86_396, "24 h"),
        (170_000, "47 h 13 min"), (172_800, "2 days"), (-180_000, "2 days 2 h"),
    ],
)  # fmt: skip
def test_spans_have_two_units(seconds: float, text: str) -> None:
    """The smaller one is rounded."""
    assert span_text(seconds) == text


def test_days_ms_and_places_read_well() -> None:
    """As they stand in the lines."""
    assert [days_text(each) for each in (3600, 86_400 * 2.9, 86_400 * 90)] == ["1 h", "2 days", "90 days"]
    assert [ms_text(each) for each in (0.00004, 0.0004, 0.0123, 0.99, 2.54)] == [
        "0.04 ms", "0.4 ms", "12 ms", "990 ms", "2.5 s",
    ]  # fmt: skip
    assert [place_text("a", 1), place_text("::1", 1)] == ["a:1", "[::1]:1"]
