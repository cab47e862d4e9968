"""Maps the refusals of S3 to errors. The code in the XML of an answer decides, and without one its status.

| codes                                                       | error          | retried                            |
|-------------------------------------------------------------|----------------|------------------------------------|
| SlowDown, Throttling..., RequestLimitExceeded, ...          | Throttled      | after a pause                      |
| InternalError, ServiceUnavailable, RequestTimeout, ...      | Unavailable    | yes                                |
| OperationAborted, ConditionalRequestConflict                | Unavailable    | yes: another request was there     |
| BadDigest, InvalidDigest, XAmzContentSHA256Mismatch, ...    | IntegrityError | yes                                |
| PreconditionFailed                                          | Exists         | no                                 |
| NoSuchKey, NoSuchUpload, NoSuchVersion                      | NotFound       | no                                 |
| NoSuchBucket                                                | NotFound       | no: a PUT makes StoreGone of it    |
| AccessDenied, InvalidAccessKeyId, SignatureDoesNotMatch, ...| Denied         | no: it stops the run (`of_one`)    |
| ExpiredToken, RequestTimeTooSkewed, PermanentRedirect, ...  | Denied         | the store itself has tried before  |
| EntityTooLarge, KeyTooLongError                             | TooLarge       | no                                 |
| QuotaExceeded, TooManyBuckets, InsufficientCapacity, ...    | QuotaExceeded  | no: it stops the run               |
| NotImplemented, MethodNotAllowed                            | Unsupported    | no                                 |

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, and the codes of Ceph's gateway, MinIO and Swift.
"""

import re
import time
from collections.abc import Mapping
from html import unescape

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
    printable,
)
from bulkput.stores.status import error_from_response, parse_retry_after
from bulkput.transport.base import Answer

SKEWED = frozenset(("RequestTimeTooSkewed", "RequestExpired"))
MOVED = frozenset(
    ("PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException")
)
"""The bucket is in another region."""
EXPIRED = frozenset(("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken"))

_THROTTLED = frozenset(
    (
        "SlowDown",
        "SlowDownRead",
        "SlowDownWrite",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequests",
        "TooManyRequestsException",
        "BandwidthLimitExceeded",
        "ProvisionedThroughputExceededException",
        "LimitExceededException",
    )
)
_KINDS: dict[str, type[StoreError]] = {
    **dict.fromkeys(
        (
            "InternalError",
            "InternalServerError",
            "ServiceUnavailable",
            "RequestTimeout",
            "RequestTimeoutException",
            "OperationAborted",
            "ConditionalRequestConflict",
            "IncompleteBody",
            "ServerBusy",
            "XMinioServerNotInitialized",
        ),
        Unavailable,
    ),
    **dict.fromkeys(("NoSuchBucket", "NoSuchKey", "NoSuchUpload", "NoSuchVersion"), NotFound),
    **dict.fromkeys(("EntityTooLarge", "KeyTooLongError", "MetadataTooLarge"), TooLarge),
    **dict.fromkeys(
        ("QuotaExceeded", "TooManyBuckets", "InsufficientCapacity", "XMinioStorageFull", "UserSuspended"), QuotaExceeded
    ),
    **dict.fromkeys(("NotImplemented", "MethodNotAllowed"), Unsupported),
    **dict.fromkeys(
        (
            "AccessDenied",
            "AccountProblem",
            "AllAccessDisabled",
            "InvalidAccessKeyId",
            "InvalidPayer",
            "InvalidSecurity",
            "NotSignedUp",
            "SignatureDoesNotMatch",
            "UnauthorizedAccess",
            *SKEWED,
            *EXPIRED,
            *MOVED,
        ),
        Denied,
    ),
    "PreconditionFailed": Exists,
}
_DIGESTS = frozenset(
    (
        "BadDigest",
        "InvalidDigest",
        "XAmzContentSHA256Mismatch",
        "XAmzContentChecksumMismatch",
        "ContentSHA256Mismatch",
        "BadChecksum",
    )
)
_HINTS = {
    "InvalidAccessKeyId": "the store does not know this access key: check AWS_ACCESS_KEY_ID or the profile, and the"
    " endpoint",
    "SignatureDoesNotMatch": "the secret is not that of the access key (or something on the way changes requests):"
    " check AWS_SECRET_ACCESS_KEY or the profile",
    "AccessDenied": "the key, or a request without one, may not do this here: its policy, the bucket's or its owner's"
    " forbid it",
    "ExpiredToken": "the keys have expired, and there are no newer ones: log in again",
    "TokenRefreshRequired": "the keys have expired, and there are no newer ones: log in again",
    "InvalidToken": "AWS_SESSION_TOKEN does not belong to the access key: log in again, or unset it",
    "RequestTimeTooSkewed": "this machine's clock differs too much from the store's: set it, as by chrony or ntpd",
    "BucketAlreadyExists": "somebody else has a bucket of this name: choose another",
    "PermanentRedirect": "the bucket is at another endpoint: set AWS_REGION or AWS_ENDPOINT_URL_S3 to it",
    "TemporaryRedirect": "the bucket is being moved to another endpoint: try again in some minutes",
    "AuthorizationHeaderMalformed": "the bucket is in another region: set AWS_REGION to it",
    "InvalidBucketName": "the store takes no bucket of this name: 3 to 63 small letters, digits, hyphens and dots, with"
    " a letter or a digit at both ends, fit every store",
    "EntityTooSmall": "a part of a large object is smaller than the store takes: give a larger `large.part_size`",
}
_READING = "reading this object needs s3:GetObject (and s3:ListBucket where it may be missing)"
_SSE_C = "the bucket takes no objects that are encrypted with your own key (SSE-C): its settings have to allow it"
_CODE = re.compile(rb"<Code>\s*([A-Za-z0-9.]+)\s*</Code>")
_FIELD = r"<{0}>([^<]*)</{0}>"
REQUEST_IDS = ("x-amz-request-id", "X-Trans-Id", "x-request-id")


def code_of(answer: Answer) -> str:
    """The code of an error document; empty if the answer has none."""
    found = _CODE.search(answer.body) if b"<Error" in answer.body else None
    return found[1].decode("ascii") if found is not None else ""


def blames_keys(code: str, status: int, *, are_temporary: bool) -> bool:
    """Whether a refusal may be the fault of the keys, so that newer ones may help.

    | the refusal                                             | the keys are at fault                                  |
    |---------------------------------------------------------|--------------------------------------------------------|
    | ExpiredToken, ..., InvalidAccessKeyId                   | yes: a file may have newer ones                        |
    | SignatureDoesNotMatch                                   | if they are temporary: some stores say so of old ones; |
    |                                                         | else the secret is wrong, and stays so                 |
    | 400 or 403 without a code, as a HEAD gets it            | the same                                               |
    | AccessDenied, any other code                            | no                                                     |
    """
    if code in EXPIRED or code == "InvalidAccessKeyId":
        return True
    return are_temporary and (code == "SignatureDoesNotMatch" or (not code and status in (400, 403)))


def text_of(answer: Answer, name: str) -> str | None:
    """The text of an element of an error document."""
    found = re.search(_FIELD.format(name), answer.body.decode("utf-8", "replace"))
    return unescape(found[1]).strip() if found is not None else None


def request_id_of(headers: Mapping[str, str]) -> str | None:
    found = headers.get(REQUEST_IDS[0])  # nearly always
    return found or next((headers[name] for name in REQUEST_IDS if name in headers), None)


def error_of(operation: str, key: str, answer: Answer, *, sent_md5: str | None = None) -> StoreError:
    """The error for an answer that is no success, or that has an error document in a success."""
    code = code_of(answer)
    error = _error_of(operation, key, answer, code, sent_md5)
    error.code = code
    return error


def of_one(error: StoreError, *, has_worked: bool) -> StoreError:
    """What a refusal means for the run. Once other objects were accepted (`has_worked`), AccessDenied is about one: a
    policy forbids its prefix, or a lock holds it. It then fails that object only. Else it stops the run, as it is."""
    is_denied = isinstance(error, Denied) and error.status == 403 and error.code == "AccessDenied"
    if not (has_worked and is_denied):
        return error
    told = StoreError(error.operation, error.key, error.detail, status=error.status, request_id=error.request_id)
    told.code = error.code
    return told


def error_of_reading(operation: str, key: str, answer: Answer) -> StoreError:
    """The error of a HEAD or a GET of an object: S3 says no more than 403 of what it takes to read one."""
    error = error_of(operation, key, answer)
    if answer.status == 403 and error.code in ("", "AccessDenied"):
        error.detail += f"; {_READING}"
    return error


def _error_of(operation: str, key: str, answer: Answer, code: str, sent_md5: str | None) -> StoreError:
    request_id = request_id_of(answer.headers)
    detail = _detail(code, answer)
    if code in _THROTTLED or (answer.status == 503 and not code):
        retry_after_s = parse_retry_after(answer.headers.get("Retry-After"), now=time.time())
        return Throttled(
            operation, key, detail, status=answer.status, request_id=request_id, retry_after_s=retry_after_s
        )
    if code in _DIGESTS:
        return IntegrityError(
            operation, key, detail, expected=sent_md5, actual=None, status=answer.status, request_id=request_id
        )
    kind = _KINDS.get(code)
    if kind is None:
        error = error_from_response(operation, key, answer, sent_md5=sent_md5)
        error.request_id = request_id
        if code:
            error.detail = detail
        if answer.status == 200:  # an error document that began after the head was sent
            return Unavailable(operation, key, detail, status=200, request_id=request_id)
        return error
    return kind(operation, key, detail, status=answer.status, request_id=request_id)


def no_bucket(name: str | None) -> str:
    """The text of NoSuchBucket; some stores do not say which. Only who writes to it is told that it can be made."""
    what = f"bucket {printable(name)}" if name else "such bucket"
    return f"NoSuchBucket: there is no {what}: check its name, AWS_PROFILE and AWS_ENDPOINT_URL"


def _detail(code: str, answer: Answer) -> str:
    """The code with what to do, else with what the store says."""
    message = printable(text_of(answer, "Message") or "")
    if code == "AccessDenied" and "SSE-C" in message:
        return f"{code}: {_SSE_C}"
    if code == "NoSuchBucket":
        return no_bucket(text_of(answer, "BucketName"))
    more = _HINTS.get(code) or message
    return ": ".join(filter(None, (code, more))) or answer.reason or "no reason given"
