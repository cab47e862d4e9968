"""Whatever a store answers: one error of ours, never a traceback."""

from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from bulkput.errors import StoreError
from bulkput.stores.status import error_from_response, parse_retry_after
from bulkput.transport.base import Answer

dates = st.text(st.sampled_from("SunMoFri, 0123456789:-+GMTNovESC\u0661"), max_size=40)


@given(
    st.integers(100, 999),
    st.text(),
    st.binary(),
    st.dictionaries(
        st.sampled_from(["X-Trans-Id", "Retry-After", "ETag", "Location", "X-Amz-Request-Id"]), st.text() | dates
    ),
)
def test_any_answer_becomes_a_store_error(status: int, reason: str, body: bytes, headers: dict[str, str]) -> None:
    """This includes unknown statuses, binary bodies and invalid headers."""
    answer = Answer(status, reason, CIMultiDictProxy(CIMultiDict(headers)), body)
    error = error_from_response("put", "a", answer)
    assert isinstance(error, StoreError)
    assert error.status == status
    assert len(error.detail) <= 200 + len(reason) + len(headers.get("Location", "")) + len(headers.get("ETag", "")) + 80


@given(st.text() | dates | st.integers().map(str), st.floats(0, 4e9))
def test_retry_after_is_never_negative(value: str, now: float) -> None:
    """An invalid value gives None and raises nothing."""
    seconds = parse_retry_after(value, now=now)
    assert seconds is None or seconds >= 0


@given(st.integers(0, 10**9), st.floats(0, 4e9))
def test_retry_after_in_seconds_does_not_depend_on_the_clock(seconds: int, now: float) -> None:
    """Only a date is compared with the current time."""
    assert parse_retry_after(str(seconds), now=now) == seconds
