"""What the error of a step means, and what to do about it.

| the error                    | cause         |
|------------------------------|---------------|
| a code of S3's in `_OF_CODES`| what it says  |
| Denied, 401                  | unauthorized  |
| Denied, other answers        | forbidden     |
| QuotaExceeded                | quota-full    |
| NotFound                     | not-found     |
| Throttled                    | throttled     |
| TooLarge                     | too-large     |
| Unsupported                  | unsupported   |
| IntegrityError               | integrity     |
| StoreGone by an upload, look | not-stored    |
| no answer                    | no-answer     |
| 5xx                          | server-error  |
| any other                    | refused       |
"""

import time
from collections.abc import Awaitable
from typing import TypeVar

from bulkput.errors import (
    BulkputError,
    Denied,
    IntegrityError,
    NotFound,
    QuotaExceeded,
    StoreError,
    StoreGone,
    Throttled,
    TooLarge,
    Unsupported,
)

T = TypeVar("T")

_ADVICE = {
    "unauthorized": "check the credentials: are they for this server, and for this account?",
    "forbidden": "ask the owner for access, or take the credentials of another user",
    "quota-full": "remove objects, or ask for a higher quota",
    "not-found": "check the URL, and the account that the login gives",
    "throttled": "the store asks for fewer requests: set `wire.objects_per_s`",
    "too-large": "the name or the object is longer than this store takes",
    "unsupported": "the store, or a proxy before it, does not know this request",
    "unknown-key": "the line of the login has the key that was sent: is it of this store, and not disabled?",
    "wrong-secret": "copy the secret again, whole; if it is right, a proxy on the way changes the host or the path",
    "expired-keys": "log in again, as by aws sso login",
    "clock": "set the clock: S3 takes no signature that is 15 minutes off",
    "wrong-region": "set AWS_REGION, or the region of the profile",
    "integrity": "something on the way changes bytes or ETags: compare with a request that passes no proxy or balancer",
    "not-stored": "check host, port and path: something else than a store answers there",
    "no-answer": "the server took the connection, and gave no answer: look at its log and its load",
    "server-error": "ask those who run the store, with the number of the request and the time",
    "refused": "ask those who run the store, with the number of the request, unless its words say why",
}


_OF_CODES = {
    "InvalidAccessKeyId": "unknown-key",
    "SignatureDoesNotMatch": "wrong-secret",
    "ExpiredToken": "expired-keys",
    "ExpiredTokenException": "expired-keys",
    "TokenRefreshRequired": "expired-keys",
    "InvalidToken": "expired-keys",
    "RequestTimeTooSkewed": "clock",
    "RequestExpired": "clock",
    "PermanentRedirect": "wrong-region",
    "TemporaryRedirect": "wrong-region",
    "AuthorizationHeaderMalformed": "wrong-region",
    "IllegalLocationConstraintException": "wrong-region",
}


def cause_of(error: BulkputError) -> str:
    if isinstance(error, StoreError) and error.code in _OF_CODES:
        return _OF_CODES[error.code]
    return _of_kind(error)


def _of_kind(error: BulkputError) -> str:
    match error:
        case Denied(status=401):
            return "unauthorized"
        case Denied(status=int()):
            return "forbidden"
        case QuotaExceeded():
            return "quota-full"
        case NotFound():
            return "not-found"
        case Throttled():
            return "throttled"
        case TooLarge():
            return "too-large"
        case Unsupported():
            return "unsupported"
        case IntegrityError():
            return "integrity"
        case StoreGone(operation="put" | "stat") if _is_answered(error):
            return "not-stored"
        case StoreError(status=None) if error.is_retryable or isinstance(error, StoreGone):
            return "no-answer"
        case StoreError(status=int(status)) if status >= 500:
            return "server-error"
    return "refused"


def _is_answered(error: StoreError) -> bool:
    """Whether something has answered a look that is no store; an upload shows only that."""
    return error.operation == "put" or (error.status is not None and error.status < 500)


def advice_for(cause: str) -> str:
    return _ADVICE[cause]


async def timed(call: Awaitable[T]) -> tuple[T | BulkputError, float]:
    """The result of a step or its error, and its time in seconds."""
    began_s = time.perf_counter()
    try:
        return await call, time.perf_counter() - began_s
    except BulkputError as error:
        return error, time.perf_counter() - began_s
