"""Every HTTP answer as an error."""

import time
from collections.abc import Iterator

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from bulkput.errors import (
    BulkputError,
    Conflict,
    Denied,
    Exists,
    IntegrityError,
    NotFound,
    QuotaExceeded,
    StoreError,
    Throttled,
    TooLarge,
    Unavailable,
    Unsupported,
)
from bulkput.stores.status import error_from_response, parse_retry_after
from bulkput.transport.base import Answer

NAMED: dict[int, type[StoreError]] = {
    202: Conflict,
    401: Denied,
    403: Denied,
    407: Denied,
    497: Denied,
    404: NotFound,
    410: NotFound,
    405: Unsupported,
    501: Unsupported,
    409: Conflict,
    412: Exists,
    413: TooLarge,
    422: IntegrityError,
    429: Throttled,
    498: Throttled,
    408: Unavailable,
    499: Unavailable,
}
"""The docstring's table; what is not in it follows from the hundreds."""


def answer(status: int, *, body: bytes = b"", reason: str = "Reason", **headers: str) -> Answer:
    fields = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return Answer(status, reason, CIMultiDictProxy(fields), body)


def error(status: int, *, body: bytes = b"", reason: str = "Reason", **headers: str) -> StoreError:
    return error_from_response("put", "a", answer(status, body=body, reason=reason, **headers))


@pytest.mark.parametrize("status", range(100, 600))
def test_every_status_gives_its_expected_error(status: int) -> None:
    """The error decides about retry and stop."""
    expected = NAMED.get(status, Unavailable if status >= 500 else StoreError)
    found = error(status)
    assert type(found) is expected
    assert (found.operation, found.key, found.status) == ("put", "a", status)
    assert found.is_retryable is (status in (408, 422, 429, 498, 499) or (status >= 500 and status != 501))
    assert found.stops_run is (status in (401, 403, 407, 497))
    assert str(found).startswith(f"put a: {status} ")


@pytest.mark.parametrize(
    "body", [b"Upload exceeds quota.", b"<html><h1>Request Entity Too Large</h1>Upload exceeds QUOTA.</html>"]
)
def test_a_413_is_a_full_account_if_its_text_says_so(body: bytes) -> None:
    """Swift also answers 413 to a large object; only a full account stops the run."""
    found = error(413, body=body)
    assert type(found) is QuotaExceeded
    assert found.stops_run
    assert found.detail == ("Reason" if body.startswith(b"<") else body.decode()), "a page for browsers is no message"


def test_a_413_for_a_large_object_does_not_stop_the_run() -> None:
    """413 without the word."""
    found = error(413, body=b"Your request is too large.")
    assert (type(found), found.stops_run, found.is_retryable) == (TooLarge, False, False)


@pytest.mark.parametrize(
    ("status", "body", "headers", "kind"),
    [
        (503, b"Slow Down", {}, Throttled),
        (503, b"<Code>SlowDown</Code>", {}, Throttled),
        (503, b"", {"retry_after": "3"}, Throttled),
        (503, b"", {"retry_after": "soon"}, Unavailable),
        (503, b"Service Unavailable", {}, Unavailable),
        (500, b"slow", {}, Unavailable),
        (507, b"", {}, Unavailable),
    ],
)
def test_a_503_that_asks_to_slow_down_is_throttling(
    status: int, body: bytes, headers: dict[str, str], kind: type[BulkputError]
) -> None:
    """Its text or Retry-After shows it; any other 503 is Unavailable."""
    assert type(error(status, body=body, **headers)) is kind


def test_throttling_has_the_retry_after_of_the_store() -> None:
    """It is in seconds, or None if the answer has none."""
    for status in (429, 498, 503):
        found = error(status, retry_after="7")
        assert isinstance(found, Throttled)
        assert found.retry_after_s == 7.0
    found = error(429)
    assert isinstance(found, Throttled)
    assert found.retry_after_s is None


def test_the_request_id_comes_from_the_answer() -> None:
    """Swift's header wins over that of S3."""
    assert error(500, X_Trans_Id="tx1", X_Amz_Request_Id="r2").request_id == "tx1"
    assert error(500, X_Amz_Request_Id="r2").request_id == "r2"
    assert error(500).request_id is None


def test_a_422_has_the_sent_and_the_answered_digest() -> None:
    """It is retried, since the bytes were damaged on the way."""
    found = error_from_response("put", "a", answer(422, ETag="e2"), sent_md5="e1")
    assert isinstance(found, IntegrityError)
    assert (found.expected, found.actual) == ("e1", "e2")


def test_a_refusal_has_the_reason_of_its_body() -> None:
    """For a 422 with digests, the digests are the reason."""
    assert error(409, reason="Conflict", body=b"not a directory").detail == "Conflict: not a directory"
    assert error(422, reason="Bad", body=b'{"message": "no checksum"}').detail == "Bad: no checksum"
    found = error_from_response(
        "put", "a", answer(422, body=b"<html><h1>Damaged</h1></html>", reason=""), sent_md5="e1"
    )
    assert found.detail == "sent bytes with MD5 e1, the store answered ETag None: Damaged"


def test_a_redirect_error_has_its_target() -> None:
    """The redirect is not followed."""
    found = error(301, Location="https://other/v1/c/a")
    assert "https://other/v1/c/a" in found.detail
    assert not found.is_retryable


def test_a_400_has_the_first_line_of_its_body() -> None:
    """Its reason is always the same, its text is not."""
    assert error(400, reason="Bad Request", body=b"Invalid X-Delete-At\nmore").detail == (
        "Bad Request: Invalid X-Delete-At"
    )


def test_a_400_without_a_body_has_only_its_reason() -> None:
    """No colon that nothing follows."""
    assert str(error(400, reason="Bad Request")) == "put a: 400 Bad Request"


def test_an_answer_without_a_reason_has_the_first_line_of_its_body() -> None:
    """HTTP/1.1 allows an empty reason; the line is cut to 200 characters."""
    assert error(500, reason="", body=b"\nout of disks\nmore").detail == "out of disks"
    assert len(error(500, reason="", body=b"x" * 10_000).detail) == 200
    assert error(500, reason="", body=b"\xff\xfe").detail == "\ufffd\ufffd"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("7\x1f", 7.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 10.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 10.0),
        ("Sun Nov  6 08:49:37 1994", 10.0),
        ("Sun, 06 Nov 1994 08:49:00 GMT", 0.0),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("\u0663", None),
        ("Sun, 99 Nov 1994 08:49:37 GMT", None),
    ],
)
def test_retry_after_is_parsed_as_seconds_or_date(value: str | None, seconds: float | None) -> None:
    """Dates have any form of RFC 9110, section 5.6.7; the result is never negative."""
    assert parse_retry_after(value, now=784111767.0) == seconds


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_tokyo")
@pytest.mark.parametrize("value", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"])
def test_an_http_date_is_utc_in_every_time_zone(value: str) -> None:
    """asctime's form names no zone (RFC 9110, section 5.6.7)."""
    assert parse_retry_after(value, now=784111767.0) == 10.0
