"""Maps HTTP answers to errors. A test covers every status code.

| status                       | error                         | why                                                  |
|------------------------------|-------------------------------|------------------------------------------------------|
| 401, 403, 497                | Denied                        | after the store has tried a new login; 497: banned   |
| 407                          | Denied                        | a proxy on the way, which no variable names          |
| 404, 410                     | NotFound                      |                                                      |
| 405, 501                     | Unsupported                   |                                                      |
| 409, 202 to a PUT            | Conflict                      | 202: Swift has a newer version of the object         |
| 412                          | Exists                        | the one condition that we send: If-None-Match: *     |
| 413                          | QuotaExceeded or TooLarge     | Swift says "quota" in the text                       |
| 422                          | IntegrityError                | the bytes that arrived do not have the ETag we sent  |
| 429, 498; 503 "slow down"    | Throttled                     | 498: Swift's ratelimit; Retry-After on a 503 as well |
| 408, 499, other 5xx          | Unavailable                   | temporary; 507 too: another disk may have room       |
| 3xx                          | StoreError                    | never followed: another host must not get the token  |
| any other                    | StoreError                    | it fails that object only                            |
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC

from bulkput.errors import (
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
from bulkput.stores.reason import said, why
from bulkput.transport.base import MAX_ANSWER, Answer, Incoming, TransportError
from bulkput.transport.secrets import text_without_secrets

_PLAIN: dict[int, type[StoreError]] = {
    202: Conflict,
    401: Denied,
    403: Denied,
    404: NotFound,
    405: Unsupported,
    407: Denied,
    408: Unavailable,
    409: Conflict,
    410: NotFound,
    412: Exists,
    497: Denied,
    499: Unavailable,
    501: Unsupported,
}
_REST_S = 5.0
"""Seconds to wait for the body of a refusal after its head has arrived."""


def error_from_response(operation: str, key: str, answer: Answer, *, sent_md5: str | None = None) -> StoreError:
    """The StoreError for an answer, which must not be a success."""
    status = answer.status
    request_id = answer.headers.get("X-Trans-Id") or answer.headers.get("X-Amz-Request-Id")
    text = answer.body.decode("utf-8", "replace").lower()
    more = said(status, answer.reason, answer.body)
    detail = why(status, answer.reason, answer.body)
    retry_after_s = parse_retry_after(answer.headers.get("Retry-After"), now=time.time())
    if status in (429, 498) or (status == 503 and (retry_after_s is not None or "slow" in text)):
        return Throttled(operation, key, detail, status=status, request_id=request_id, retry_after_s=retry_after_s)
    match status:
        case 422:
            etag = answer.headers.get("ETag")
            error = IntegrityError(operation, key, expected=sent_md5, actual=etag, status=status, request_id=request_id)
            error.detail = detail if sent_md5 is None else ": ".join(filter(None, (error.detail, more)))
            return error
        case 413:
            kind: type[StoreError] = QuotaExceeded if "quota" in text else TooLarge
            detail = more or detail
        case _ if 300 <= status < 400:
            kind, detail = StoreError, f"redirect to {answer.headers.get('Location')}: give that URL yourself"
        case _:
            kind = _PLAIN.get(status, Unavailable if status >= 500 else StoreError)
    return kind(operation, key, detail, status=status, request_id=request_id)


async def refusal(incoming: Incoming) -> Answer:
    """Read the body of a failed answer, for its error text. Returns the part that arrives in time and without error."""
    body = bytearray()
    with suppress(TransportError, TimeoutError):
        async with asyncio.timeout(_REST_S):
            async for piece in incoming.chunks:
                body += piece
                if len(body) >= MAX_ANSWER:
                    break
    return Answer(incoming.status, incoming.reason, incoming.headers, bytes(body[:MAX_ANSWER]))


def error_from_transport(
    operation: str, key: str, error: TransportError, *, sent: Mapping[str, str] | None = None
) -> StoreError:
    """The StoreError for a request without an answer: Denied, which stops the run, if the error is permanent (such as
    a refused TLS certificate), else Unavailable, which is retried.

    `sent` has the request's header fields. An error text may quote them, so their secrets are removed from it.
    """
    detail = text_without_secrets(str(error), sent or {})
    if error.is_permanent:
        return Denied(operation, key, detail)
    unavailable = Unavailable(operation, key, detail)
    unavailable.is_first_contact, unavailable.is_misdirected = error.is_first_contact, error.is_misdirected
    return unavailable


def parse_retry_after(value: str | None, *, now: float) -> float | None:
    """Seconds from `now`, from both forms of Retry-After (RFC 9110, 10.2.3); None if it is missing or invalid."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value)
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - 4 ms, when a server refuses

    try:
        moment = parsedate_to_datetime(value)
        # A date without a zone is UTC (RFC 9110, 5.6.7), not the client's own time.
        return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, OverflowError):
        return None
