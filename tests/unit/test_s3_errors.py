"""What a refusal of S3 becomes: each row of the table in errors.py, with bodies as the stores send them."""

import re

import pytest

from bulkput.errors import (
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
from bulkput.stores.s3 import errors
from bulkput.stores.s3.errors import code_of, error_of, error_of_reading, of_one, request_id_of, text_of
from bulkput.transport.base import Answer

MD5 = "900150983cd24fb0d6963f7d28e17f72"


def aws(code: str, message: str = "Something.", more: str = "") -> bytes:
    """As Amazon and MinIO write it."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message>{more}'
        "<RequestId>4442587FB7D0A2F9</RequestId><HostId>x</HostId></Error>"
    ).encode()


def ceph(code: str, message: str = "") -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message>'
        "<BucketName>b</BucketName><RequestId>tx0-default</RequestId><HostId>100c-default-default</HostId></Error>"
    ).encode()


def swift(code: str, message: str = "Something.") -> bytes:
    """s3api's: its quotes in the declaration, and line ends."""
    return (
        f"<?xml version='1.0' encoding='UTF-8'?>\n<Error>\n  <Code>{code}</Code>\n  <Message>{message}</Message>\n"
        "  <RequestId>tx1</RequestId>\n</Error>"
    ).encode()


def gcs(code: str, message: str = "Something.") -> bytes:
    return (
        f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    )


FORMS = (aws, ceph, swift, gcs)


def refused(status: int, body: bytes = b"", **headers: str) -> StoreError:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return error_of("put", "a/b", Answer(status, "Reason", fields, body), sent_md5=MD5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (503, "SlowDown", Throttled),
        (503, "SlowDownWrite", Throttled),
        (429, "TooManyRequests", Throttled),
        (400, "RequestLimitExceeded", Throttled),
        (429, "LimitExceededException", Throttled),
        (500, "InternalError", Unavailable),
        (503, "ServiceUnavailable", Unavailable),
        (503, "XMinioServerNotInitialized", Unavailable),
        (400, "RequestTimeout", Unavailable),
        (400, "IncompleteBody", Unavailable),
        (409, "OperationAborted", Unavailable),
        (409, "ConditionalRequestConflict", Unavailable),
        (400, "BadDigest", IntegrityError),
        (400, "InvalidDigest", IntegrityError),
        (400, "XAmzContentSHA256Mismatch", IntegrityError),
        (400, "XAmzContentChecksumMismatch", IntegrityError),
        (412, "PreconditionFailed", Exists),
        (404, "NoSuchKey", NotFound),
        (404, "NoSuchUpload", NotFound),
        (404, "NoSuchVersion", NotFound),
        (404, "NoSuchBucket", NotFound),
        (403, "AccessDenied", Denied),
        (403, "InvalidAccessKeyId", Denied),
        (403, "SignatureDoesNotMatch", Denied),
        (403, "AllAccessDisabled", Denied),
        (403, "NotSignedUp", Denied),
        (400, "ExpiredToken", Denied),
        (400, "InvalidToken", Denied),
        (403, "RequestTimeTooSkewed", Denied),
        (301, "PermanentRedirect", Denied),
        (307, "TemporaryRedirect", Denied),
        (400, "AuthorizationHeaderMalformed", Denied),
        (400, "IllegalLocationConstraintException", Denied),
        (400, "EntityTooLarge", TooLarge),
        (400, "KeyTooLongError", TooLarge),
        (400, "MetadataTooLarge", TooLarge),
        (403, "QuotaExceeded", QuotaExceeded),
        (400, "TooManyBuckets", QuotaExceeded),
        (507, "XMinioStorageFull", QuotaExceeded),
        (403, "UserSuspended", QuotaExceeded),
        (501, "NotImplemented", Unsupported),
        (405, "MethodNotAllowed", Unsupported),
        (400, "InvalidArgument", StoreError),
        (400, "InvalidStorageClass", StoreError),
        (400, "InvalidBucketName", StoreError),
        (400, "EntityTooSmall", StoreError),
    ],
)  # fmt: skip
def test_the_code_decides(form: object, status: int, code: str, kind: type[StoreError]) -> None:
    """Whatever the store is and whatever its status."""
    assert callable(form)
    error = refused(status, form(code))
    assert type(error) is kind
    assert str(error).startswith(f"put a/b: {status} {code}")
    assert str(error).isprintable()


def test_each_code_of_the_maps_is_one_that_the_docs_could_name() -> None:
    """No typing error with a space, and none in two maps."""
    maps = [errors._THROTTLED, set(errors._KINDS), errors._DIGESTS]
    assert all(re.fullmatch(r"[A-Za-z0-9]+", code) for each in maps for code in each)
    assert len(set().union(*maps)) == sum(map(len, maps))
    hints = set(errors._HINTS) - set().union(*maps)
    assert hints == {"BucketAlreadyExists", "EntityTooSmall", "InvalidBucketName"}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, StoreError), (401, Denied), (403, Denied), (404, NotFound), (405, Unsupported), (409, StoreError),
        (412, Exists), (413, TooLarge), (429, Throttled), (500, Unavailable), (501, Unsupported), (502, Unavailable),
        (503, Throttled), (504, Unavailable), (507, Unavailable), (301, StoreError),
    ],
)  # fmt: skip
@pytest.mark.parametrize("body", [b"", b"<html><body><h1>Bad</h1></body></html>", b'{"Code": "SlowDown"}'])
def test_without_a_code_the_status_decides(status: int, kind: type[StoreError], body: bytes) -> None:
    """A HEAD has no body, and a proxy has its own page."""
    error = refused(status, body)
    assert isinstance(error, kind)
    assert str(error).isprintable()
    assert "<" not in str(error)


@pytest.mark.parametrize(
    ("given", "seconds"), [("7", 7.0), ("", None), ("soon", None), ("Thu, 01 Jan 2015 00:00:00 GMT", 0.0)]
)
def test_the_pause_that_a_store_asks_for_is_kept(given: str, seconds: float | None) -> None:
    """Some send it with SlowDown."""
    error = refused(503, aws("SlowDown", "Please reduce your request rate."), Retry_After=given)
    assert isinstance(error, Throttled)
    assert error.retry_after_s == seconds


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("InternalError", Unavailable),
        ("SlowDown", Throttled),
        ("AccessDenied", Denied),
        ("Unheard", Unavailable),
        ("NoSuchUpload", NotFound),
    ],
)
def test_an_error_in_a_success_is_an_error(code: str, kind: type[StoreError]) -> None:
    """A completion or a copy sends its head before it knows. https://repost.aws/knowledge-center/s3-resolve-200-internalerror"""
    assert type(refused(200, aws(code))) is kind


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (403, "InvalidAccessKeyId", "check AWS_ACCESS_KEY_ID or the profile, and the endpoint"),
        (403, "SignatureDoesNotMatch", "check AWS_SECRET_ACCESS_KEY or the profile"),
        (403, "AccessDenied", "its policy, the bucket's or its owner's forbid it"),
        (400, "ExpiredToken", "log in again"),
        (400, "InvalidToken", "unset it"),
        (403, "RequestTimeTooSkewed", "clock differs too much from the store's: set it"),
        (404, "NoSuchBucket", "there is no such bucket: check its name, AWS_PROFILE and AWS_ENDPOINT_URL"),
        (409, "BucketAlreadyExists", "choose another"),
        (301, "PermanentRedirect", "set AWS_REGION or AWS_ENDPOINT_URL_S3"),
        (400, "AuthorizationHeaderMalformed", "set AWS_REGION to it"),
        (400, "InvalidBucketName", "3 to 63 small letters, digits, hyphens and dots"),
        (400, "EntityTooSmall", "give a larger `large.part_size`"),
    ],
)
def test_a_text_says_what_to_do(status: int, code: str, said: str) -> None:
    """Instead of the store's own words."""
    assert said in str(refused(status, aws(code, "The store's own words.")))
    assert "own words" not in str(refused(status, aws(code, "The store's own words.")))


@pytest.mark.parametrize(
    ("status", "code", "is_told"),
    [
        (403, "", True),
        (403, "AccessDenied", True),
        (403, "InvalidObjectState", False),
        (403, "SignatureDoesNotMatch", False),
        (400, "", False),
    ],
)
def test_a_refused_read_says_what_it_needs(status: int, code: str, is_told: bool) -> None:
    """If the cause may be that a policy does not allow it."""
    answer = Answer(status, "Refused", {}, aws(code) if code else b"")
    told = str(error_of_reading("get", "key", answer))
    assert ("reading this object needs s3:GetObject" in told) is is_told


@pytest.mark.parametrize(
    ("code", "has_worked", "stops"),
    [
        ("AccessDenied", True, False),
        ("AccessDenied", False, True),
        ("InvalidAccessKeyId", True, True),
        ("ExpiredToken", True, True),
        ("QuotaExceeded", True, True),
    ],
)
def test_a_refusal_is_of_one_object_only_once_another_was_accepted(code: str, has_worked: bool, stops: bool) -> None:
    """Not that of keys, or of a quota. Its text stays."""
    error = refused(403, aws(code))
    told = of_one(error, has_worked=has_worked)
    assert (told.stops_run, str(told), told.code) == (stops, str(error), code)


def test_a_missing_bucket_is_named_if_the_store_names_it() -> None:
    assert "there is no bucket b: check its name" in str(refused(404, ceph("NoSuchBucket")))


def test_a_bucket_that_refuses_the_users_keys_says_so() -> None:
    """Since April 2026 new buckets of Amazon's refuse SSE-C."""
    message = "Access Denied because the bucket has blocked SSE-C for object writes"
    assert "its settings have to allow it" in str(refused(403, aws("AccessDenied", message)))


def test_a_code_without_a_hint_keeps_the_stores_words() -> None:
    """With its entities, on one line."""
    error = refused(400, aws("InvalidArgument", "x-amz-storage-class &lt;X&gt; &amp; more\nis wrong"))
    assert str(error) == "put a/b: 400 InvalidArgument: x-amz-storage-class <X> & more\\nis wrong"


def test_bytes_that_arrived_damaged_carry_the_md5_that_was_sent() -> None:
    """The text says which."""
    error = refused(400, aws("BadDigest", "The Content-MD5 you specified did not match what we received."))
    assert isinstance(error, IntegrityError)
    assert error.expected == MD5
    assert "did not match" in str(error)


@pytest.mark.parametrize("name", ["x-amz-request-id", "X-Trans-Id", "x-request-id"])
def test_the_request_has_the_id_by_which_its_operator_finds_it(name: str) -> None:
    """Amazon's, Swift's, and that of proxies."""
    assert str(refused(500, aws("InternalError"), **{name: "tx1"})).endswith("(tx1)")
    assert request_id_of({}) is None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", ""),
        (b"<Code>SlowDown</Code>", ""),
        (b"<Error><Code></Code></Error>", ""),
        (b"<Error xmlns='x'><Code> SlowDown </Code></Error>", "SlowDown"),
        (b"<Error><Code>Slow Down</Code></Error>", ""),
        (b"<Error><Code>\xff</Code></Error>", ""),
        (b"<html><Error><Code>SlowDown", ""),
    ],
)
def test_a_code_is_read_of_an_error_document_only(body: bytes, code: str) -> None:
    """Nothing else is taken for one."""
    assert code_of(Answer(503, "", {}, body)) == code


def test_an_element_is_read_without_its_entities() -> None:
    """Such as the region of a redirect."""
    body = aws("PermanentRedirect", more="<Region>eu-west-1</Region><Endpoint>b.s3&amp;x</Endpoint>")
    answer = Answer(301, "", {}, body)
    assert text_of(answer, "Region") == "eu-west-1"
    assert text_of(answer, "Endpoint") == "b.s3&x"
    assert text_of(answer, "Bucket") is None


@pytest.mark.parametrize(
    ("code", "status", "when_temporary", "else_"),
    [
        ("ExpiredToken", 400, True, True),
        ("TokenRefreshRequired", 400, True, True),
        ("InvalidAccessKeyId", 403, True, True),
        ("SignatureDoesNotMatch", 403, True, False),
        ("", 403, True, False),
        ("", 400, True, False),
        ("", 404, False, False),
        ("AccessDenied", 403, False, False),
        ("NoSuchBucket", 404, False, False),
    ],
)
def test_newer_keys_are_asked_for_where_they_may_help(
    code: str, status: int, when_temporary: bool, else_: bool
) -> None:
    """A secret that is wrong and permanent stays wrong."""
    assert errors.blames_keys(code, status, are_temporary=True) is when_temporary
    assert errors.blames_keys(code, status, are_temporary=False) is else_
