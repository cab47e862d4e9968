"""A bucket's listing, page by page, by ListObjectsV2."""

from collections.abc import AsyncGenerator

from bulkput.errors import NotFound, StoreError, StoreGone, Unavailable
from bulkput.model import Prefix, RemoteObject
from bulkput.stores.s3.errors import code_of, error_of, no_bucket
from bulkput.stores.s3.requests import BucketRequests, Request
from bulkput.stores.s3.settings import Settings
from bulkput.stores.s3.wire_format import page, query_of
from bulkput.transport.base import Answer

MAX_PAGE_BYTES = 16 * 1024 * 1024
"""1000 rows, each with a name of up to 1024 bytes (three characters each when escaped) and 600 bytes around it."""
NOT_OF_S3 = frozenset((200, 400, 401, 403, 404, 405))
"""Statuses that S3 sends with a code or a listing: without either of them, the answer is not from an S3. Other statuses
may be those of a proxy."""
NO_S3 = (
    "the answer is not one of S3's: AWS_ENDPOINT_URL has to be the address of an S3, http(s)://HOST[:PORT]; Swift's"
    " own API has another"
)
_LOOK = "look at bucket"
_WANTS_TLS = "the server wants TLS there: write https:// in AWS_ENDPOINT_URL"
_HEAD = 1024
"""Bytes in which the root of a document begins."""
_UNORDERED = (
    "{} is listed behind {}: the store lists names in another order than that of their bytes, or repeats a page, so"
    " that nothing can be compared with it"
)


class Listing:
    """Lists the objects of one bucket."""

    def __init__(self, requests: BucketRequests, bucket: str, settings: Settings) -> None:
        self._ask = requests.ask
        self._bucket = bucket
        self._settings = settings

    async def check(self) -> bool:
        """Whether these keys may list the bucket that is to be written to; some may only write. Raises StoreGone if
        there is no such bucket or no S3, and StoreError if it cannot be used in this way and with these keys."""
        answer = await self._ask(_LOOK, Request("GET", query=query_of(list_type="2", max_keys="1")))
        code = code_of(answer)
        if (answer.status == 200 and b"<ListBucketResult" in answer.body) or code == "AccessDenied":
            return answer.status == 200
        if not code and answer.status in NOT_OF_S3:
            raise StoreGone(_LOOK, self._bucket, self._no_s3(answer), status=answer.status)
        error = self._error_of(_LOOK, self._bucket, answer)
        if isinstance(error, NotFound):
            detail = f"{error.detail}; `s3.make_bucket` makes it" if code == "NoSuchBucket" else error.detail
            gone = StoreGone(_LOOK, self._bucket, detail, status=404, request_id=error.request_id)
            gone.code = error.code
            raise gone
        raise error

    def _no_s3(self, answer: Answer) -> str:
        is_clear = (self._settings.endpoint or "").startswith("http://")
        return _WANTS_TLS if is_clear and answer.status == 400 and b"https" in answer.body.lower() else NO_S3

    def _error_of(self, operation: str, where: str, answer: Answer) -> StoreError:
        error = error_of(operation, where, answer)
        if error.code == "NoSuchBucket":
            error.detail = no_bucket(self._bucket)
        if not error.is_retryable:
            error.detail += self._settings.path_told
        return error

    async def rows(
        self, prefix: str, delimiter: str | None, start_after: str | None
    ) -> AsyncGenerator[RemoteObject | Prefix, None]:
        """See `Store.list`. Raises StoreError if a page is not in order, since a listing that goes back never ends."""
        parameters = {"list_type": "2", "encoding_type": "url", "prefix": prefix}
        if delimiter is not None:
            parameters["delimiter"] = delimiter
        if start_after is not None:
            parameters["start_after"] = start_after
        where, last = prefix or self._bucket, b""
        begin = start_after.encode() if start_after is not None else b""
        while True:
            request = Request("GET", query=query_of(**parameters), max_answer=MAX_PAGE_BYTES)
            answer = await self._ask("list", request)
            if answer.status != 200 or b"<Error" in answer.body[:_HEAD]:
                raise self._error_of("list", where, answer)
            found = page(answer.body, "list", where)
            for row in found.rows:
                name = row.name.encode()
                if name <= begin:  # a Prefix whose first names are before the start, and others not
                    continue
                if name <= last:
                    raise StoreError("list", where, _UNORDERED.format(row.name, last.decode()))
                last = name
                yield row
            if found.token is None:
                return
            if found.token == parameters.get("continuation_token"):
                raise Unavailable("list", where, "the listing goes on at the same place for ever")
            parameters["continuation_token"] = found.token
