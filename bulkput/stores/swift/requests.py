"""Sends requests to one Swift account, with the token that all workers share."""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bulkput.errors import Denied, IntegrityError
from bulkput.model import Body
from bulkput.policy.etag import md5_of
from bulkput.record import frozen
from bulkput.stores.reason import said
from bulkput.stores.status import error_from_response, error_from_transport, refusal
from bulkput.stores.swift.account import Account
from bulkput.stores.swift.info import ClusterInfo
from bulkput.stores.swift.login import Token
from bulkput.stores.swift.wire_format import large
from bulkput.transport.base import MAX_ANSWER, Answer, Incoming, Transport, TransportError
from bulkput.transport.pacing import sends_again
from bulkput.transport.secrets import without_secrets

if TYPE_CHECKING:
    from bulkput.payload.reading import Span

_LONG_HEADER = 8_000
"""Bytes of header fields above which a refusal without a reason is likely to be about them. Ceph's gateway takes 16 384
bytes in all. Swift takes 8 192 in a field, as many proxies do, and gives a reason."""
_RENEWALS = 3
"""How often one request is sent again with a newer token."""


def is_refused(answer: Answer) -> bool:
    return answer.status in (401, 403)


@frozen
class Request:
    """A request to the container (or another one), to the object `key` in it, or to the account."""

    method: str
    key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    max_answer: int = MAX_ANSWER
    is_for_account: bool = False
    moves: int = 0
    container: str | None = None
    is_refused: Callable[[Answer], bool] = is_refused
    """Whether an answer may mean that the token has expired."""


class ContainerRequests:
    """Requests to one container, unless a request names another."""

    def __init__(self, container: str, account: Account, transport: Transport, cluster: ClusterInfo) -> None:
        self._container = container
        self._marks = account.marks
        self._account = account
        self._transport = transport
        self._cluster = cluster

    async def ask(self, operation: str, request: Request, body: Body | None = None) -> Answer:
        """Send a request with the shared token. If the token is refused, send it again with a newer one. More than
        once only if that has expired as well: on a busy server, a request waits for a while before it is looked at.

        Raises StoreError if no answer comes, and Denied if a 401 comes and no login helps; passes on body errors. A 403
        to a temporary URL means no less: radosgw answers so to signatures.
        """
        token = await self._account.token()
        answer = await self._send(operation, request, token, body)
        for number in range(_RENEWALS):
            if not request.is_refused(answer):
                return answer
            renewed = await self._account.renewed(token, answer.status, is_again=number > 0)
            if renewed is None:
                break
            token = renewed
            sends_again(request.method)
            answer = await self._send(operation, request, token, body)
        self._check(operation, request.key, answer, token)
        return answer

    def _check(self, operation: str, key: str | None, answer: Answer, token: Token) -> None:
        """Raises Denied for the answer to the newest token if that is not accepted."""
        if answer.status == 401 or (answer.status == 403 and token.query):
            why, request_id = self._account.why_refused(token), answer.headers.get("X-Trans-Id")
            raise Denied(operation, key or self._container, why, status=answer.status, request_id=request_id)

    def _path(self, key: str | None, container: str | None = None) -> str:
        path = "/" + quote(container or self._container, safe="")
        return path if key is None else path + "/" + quote(key)

    async def _send(self, operation: str, request: Request, token: Token, body: Body | None) -> Answer:
        path = "" if request.is_for_account else self._path(request.key, request.container)
        try:
            answer = await self._transport.request(
                request.method,
                token.signed(f"{token.storage_url}{path}{request.query}"),
                {**request.headers, **self._marks, **token.fields},
                body,
                max_answer=request.max_answer,
                moves=request.moves,
            )
        except TransportError as error:
            # Not `from error`: the cause holds the request as it was sent, with its token.
            raise error_from_transport(operation, request.key or self._container, error, sent=token.hidden) from None
        return answer if answer.status < 300 else _explained(without_secrets(answer, token.hidden), request.headers)

    async def read(
        self, key: str, *, version: str | None = None, span: "Span | None" = None
    ) -> AsyncGenerator[bytes, None]:
        """Yield the object's bytes as they arrive. Raises StoreError: see `Powers.get`, `payload/reading.py:Read`."""
        from bulkput.payload.reading import asked, check_answer, exactly  # noqa: PLC0415 - few runs read objects

        fields = asked(span)
        token = await self._account.token()
        for number in range(_RENEWALS + 1):
            async with self._incoming(key, token, fields) as answer:
                if (
                    answer.status in (401, 403)
                    and number < _RENEWALS
                    and (renewed := await self._account.renewed(token, answer.status, is_again=number > 0))
                ):
                    token = renewed
                    continue
                check_answer(key, answer.status, answer.headers, version, span)
                if answer.status not in (200, 206):
                    refused = without_secrets(await refusal(answer), token.hidden)
                    self._check("get", key, refused, token)
                    raise error_from_response("get", key, refused)
                md5 = hashlib.md5(usedforsecurity=False)
                try:
                    async for chunk in exactly(answer.chunks, key, span):
                        if span is None:
                            md5.update(chunk)
                        yield chunk
                except TransportError as error:
                    raise error_from_transport("get", key, error, sent=token.hidden) from None
                etag = md5_of(answer.headers.get("ETag")) if span is None else None
                if etag is not None and large(answer.headers) is None and md5.hexdigest() != etag:
                    raise IntegrityError("get", key, expected=etag, actual=md5.hexdigest(), status=200)
                return

    @asynccontextmanager
    async def _incoming(self, key: str, token: Token, fields: Mapping[str, str]) -> AsyncIterator[Incoming]:
        url = f"{token.storage_url}{self._path(key)}"
        try:
            async with self._transport.incoming(url, {**fields, **self._marks, **token.fields}) as answer:
                yield answer
        except TransportError as error:
            raise error_from_transport("get", key, error, sent=token.hidden) from None

    async def storage_url(self) -> str:
        return (await self._account.token()).storage_url

    async def info(self) -> Mapping[str, Any]:
        """The sections of `GET /info`: see ClusterInfo."""
        return await self._cluster.sections()


def container_url(storage_url: str, container: str) -> str:
    """The URL before the names of the objects."""
    return f"{storage_url}/{quote(container, safe='')}/"


def _explained(answer: Answer, fields: Mapping[str, str]) -> Answer:
    """The answer to a request with these header fields. A refusal that gives no reason gets the likely one."""
    size = sum(len(name) + len(value.encode()) + 4 for name, value in fields.items())
    if answer.status not in (400, 431) or size <= _LONG_HEADER or said(answer.status, answer.reason, answer.body):
        return answer
    why = f"the request has {size} bytes of header fields, more than this server takes"
    return replace(answer, body=f"{why}: send less metadata (`headers.meta`)".encode())
