"""What a PUT of a manifest sends, and what its answers mean. The answers are those of real servers."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.model import Segment
from bulkput.policy.etag import large_etag
from bulkput.stores.swift.manifest import ManifestAnswer, manifest_body, outcome
from bulkput.transport.base import Answer

MD5, OTHER = "a" * 32, "b" * 32
ETAG = "e7be80f6b7f62a4e4139c4483f321bb3"


@given(st.text(min_size=1).filter(lambda text: text.isprintable() or "\n" in text), st.integers(1, 2**40))
def test_a_manifest_row_has_the_path_the_md5_and_the_size_of_its_segment(name: str, size: int) -> None:
    """Swift takes no other fields, and quotes the path itself."""
    rows = json.loads(manifest_body((Segment(size, MD5, f"c/{name}"), Segment(1, OTHER, "c/2"))))
    assert rows == [
        {"path": f"/c/{name}", "etag": MD5, "size_bytes": size},
        {"path": "/c/2", "etag": OTHER, "size_bytes": 1},
    ]


@pytest.mark.parametrize("segment", [Segment(1, None, "c/x"), Segment(1, MD5), Segment(1, None)])
def test_a_manifest_of_anything_but_whole_plain_objects_is_refused(segment: Segment) -> None:
    """Ranges, nested large objects and inline bytes have no MD5 or no path."""
    with pytest.raises(ValueError, match="not a whole plain object"):
        manifest_body((Segment(1, MD5, "c/1"), segment))


def test_the_etag_of_a_large_object_is_the_md5_of_its_segments_md5s() -> None:
    """Swift's is of the text of the MD5s, S3's of their bytes."""
    md5s = [hashlib.md5(part).hexdigest() for part in (b"0123456789", b"abc")]
    assert large_etag(md5s) == ETAG
    assert large_etag([]) == hashlib.md5().hexdigest()


def answered(status: int, body: bytes = b"", reason: str = "", **headers: str) -> ManifestAnswer:
    return outcome(Answer(status, reason, headers, body))


def beat(**said: object) -> bytes:
    return b"  \r\n\r\n" + json.dumps({key.replace("_", " "): value for key, value in said.items()}).encode()


ERRORS = [["/c_segments/n%C3%B6%20ne", "404 Not Found"], ["/c_segments/a%20%2541%3F/1", "Etag Mismatch"]]
REJECTED = (("c_segments/nö ne", "404 Not Found"), ("c_segments/a %41?/1", "Etag Mismatch"))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (answered(201, ETag=f'"{ETAG}"'), ManifestAnswer(201, ETAG)),
        (answered(201, ETag=ETAG.upper()), ManifestAnswer(201, ETAG)),
        (answered(201), ManifestAnswer(201)),
        (answered(202, beat(Response_Status="201 Created", Etag=f'"{ETAG}"', Errors=[])), ManifestAnswer(201, ETAG)),
        (answered(202, beat(Response_Status="201 Created", Etag=7)), ManifestAnswer(201)),
        (
            answered(202, beat(Response_Status="400 Bad Request", Response_Body="...", Errors=ERRORS)),
            ManifestAnswer(400, None, "Bad Request", REJECTED),
        ),
        (
            answered(202, beat(Response_Status="422 Unprocessable Entity", Etag=ETAG, Errors=[])),
            ManifestAnswer(422, None, "Unprocessable Entity"),
        ),
        (answered(202, beat(Response_Status="404 Not Found", Errors=[])), ManifestAnswer(404, None, "Not Found")),
        (
            answered(400, json.dumps({"Errors": ERRORS}).encode(), "Bad Request"),
            ManifestAnswer(400, None, "Bad Request", REJECTED),
        ),
        (answered(413, b"Number of object-backed segments must be <= 1000"), ManifestAnswer(413)),
        (answered(404, b'{"Code":"NoSuchKey","Message":"","BucketName":"c"}'), ManifestAnswer(404)),
        (answered(422, b"", ETag=ETAG), ManifestAnswer(422)),
    ],
)
def test_the_outcome_of_a_manifest_is_that_of_its_body_if_the_answer_is_a_heartbeat(
    answer: ManifestAnswer, expected: ManifestAnswer
) -> None:
    """Only a 201 has an ETag that counts. Paths come quoted, and with a slash before the container."""
    assert answer == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   \r\n\r\n",
        b' \r\n\r\n{"Response Status": "201 Cre',
        b"<html>",
        b"[1]",
        b"null",
        b"[" * 100_000,
        beat(Errors=[]),
        beat(Response_Status="", Errors=[]),
        beat(Response_Status=201.5),
        beat(Response_Status="20 OK"),
        beat(Response_Status="٢٠١ Created"),
    ],
)
def test_a_heartbeat_without_an_outcome_proves_nothing(body: bytes) -> None:
    """The connection may break off after the 202."""
    assert answered(202, body, ETag=ETAG) == ManifestAnswer(202, None, "the answer broke off before its outcome")


@pytest.mark.parametrize("errors", [None, 1, "x", [1], [["a"]], [["a", 1]], [["a", "b", "c"]], {"a": "b"}])
def test_malformed_errors_of_a_manifest_are_left_out(errors: object) -> None:
    """The status says enough."""
    assert answered(202, beat(Response_Status="400 Bad Request", Errors=errors)).rejected == ()
