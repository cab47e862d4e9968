"""What the answers to a large object's manifest prove: the receipt, or the error and whether to retry."""

import json

import pytest

from bulkput.errors import Conflict, IntegrityError, NotFound, QuotaExceeded, StoreError, Unavailable
from bulkput.model import Segment
from bulkput.policy.etag import large_etag
from bulkput.stores.swift.compose import Composed
from bulkput.transport.base import Answer

SEGMENTS = (Segment(3, "a" * 32, "c/1"), Segment(4, "b" * 32, "c/2"))
ETAG = large_etag(("a" * 32, "b" * 32))
NEW = Composed("k", SEGMENTS, {"Content-Type": "text/plain"})


def beat(status: str, **said: object) -> Answer:
    return Answer(202, "Accepted", {}, b"  \r\n\r\n" + json.dumps({"Response Status": status, **said}).encode())


@pytest.mark.parametrize(
    "answer", [Answer(201, "Created", {"ETag": f'"{ETAG}"'}, b""), beat("201 Created", Etag=f'"{ETAG}"', Errors=[])]
)
def test_the_etag_of_the_segments_is_the_proof(answer: Answer) -> None:
    """With and without a heartbeat."""
    stored = NEW.stored(answer)
    assert (stored.key, stored.size, stored.etag) == ("k", 7, ETAG)


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (Answer(201, "Created", {"ETag": "c" * 32}, b""), IntegrityError, "has the ETag"),
        (Answer(201, "Created", {}, b""), IntegrityError, "the store answered None"),
        (beat("201 Created"), IntegrityError, "the store answered None"),
        (Answer(202, "Accepted", {}, b"   "), Unavailable, "broke off before its outcome"),
        (beat("404 Not Found", Errors=[]), NotFound, "404"),
        (beat("503 Service Unavailable", Errors=[]), Unavailable, "503"),
        (beat("409 Conflict", Errors=[]), Conflict, "409"),
        (Answer(413, "", {}, b"Upload exceeds quota."), QuotaExceeded, "quota"),
        (beat("400 Bad Request", Errors=[["/c/%C3%BC", "Etag Mismatch"]]), StoreError, "segment c/ü: Etag Mismatch"),
        (
            beat("400 Bad Request", Errors=[["/c/1", "Etag Mismatch"], ["/c/2", "404 Not Found"]]),
            StoreError,
            "segment c/1: Etag Mismatch, and 1 more",
        ),
    ],
)
def test_anything_else_is_an_error(answer: Answer, kind: type[StoreError], words: str) -> None:
    """Those of a heartbeat are those of the same status without one."""
    with pytest.raises(StoreError) as caught:
        NEW.stored(answer)
    assert type(caught.value) is kind and words in str(caught.value)


def test_a_dynamic_large_object_is_an_empty_object_with_the_quoted_prefix() -> None:
    """Its receipt has no ETag: that of the answer is of no bytes."""
    request = NEW.request("c s/ü/")
    assert (request.headers["X-Object-Manifest"], NEW.body("c s/ü/").data) == ("c%20s/%C3%BC/", b"")
    assert NEW.stored_dynamic(Answer(201, "Created", {}, b"")).etag is None
    with pytest.raises(NotFound):
        NEW.stored_dynamic(Answer(404, "Not Found", {}, b""))
