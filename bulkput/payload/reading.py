"""What a source of objects gives: an object with its headers, and its bytes, or a part of them.

`Fetch` and `Read` are the operations by which an upload reads another store (`stores/powers.py`) or the source of
another package (`sources/base.py`).
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import NamedTuple, Protocol

from bulkput.errors import Conflict, Unavailable, Unsupported
from bulkput.model import ObjectHeaders, RemoteObject
from bulkput.policy.etag import md5_of
from bulkput.record import record


class Span(NamedTuple):
    """The bytes `start` to `start + size` of an object; `size` is 1 at least."""

    start: int
    size: int


@record
class Fetched:
    """An object as one answer shows it.

    `version` is what `Read` takes to give these bytes and no others; None if the source does not tell versions apart.
    `data` has all bytes, if they are not more than was asked for, and the object is not large.
    """

    row: RemoteObject
    headers: ObjectHeaders
    version: str | None
    data: bytes | None


class Fetch(Protocol):
    async def __call__(self, key: str, most: int) -> Fetched | None:
        """The object, with its bytes if these are `most` at most: one request. 0 asks for no bytes. None if there is no
        such object. Raises IntegrityError if the bytes do not have the MD5 of the ETag, StoreError."""


class Read(Protocol):
    def __call__(
        self, key: str, *, version: str | None = None, span: Span | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Yields an object's bytes as they are stored, or those of a span. One request.

        Raises NotFound; Conflict if the object has another version by now; Unsupported if the source gives no spans;
        IntegrityError at the end if all bytes do not have the MD5 of the ETag.
        """


def asked(span: Span | None) -> dict[str, str]:
    """The header fields of a GET. There is no If-Match among them: Ceph's gateway compares it with another ETag of a
    dynamic large object than it shows. `check_answer` compares what each answer shows."""
    return {} if span is None else {"Range": f"bytes={span.start}-{span.start + span.size - 1}"}


def version_of(headers: Mapping[str, str]) -> str | None:
    """The version in an answer: a strong ETag, in quotes; else the date."""
    etag = headers.get("ETag", "")
    if etag and not etag.startswith("W/"):
        return '"' + etag.strip('"') + '"'
    return headers.get("Last-Modified")


def has_etag(version: str | None) -> bool:
    """Whether a version is an ETag: no other version has the same."""
    return version is not None and version.startswith('"')


def check_answer(key: str, status: int, headers: Mapping[str, str], version: str | None, span: Span | None) -> None:
    """Raises Conflict if the answer to a GET is of another version, Unsupported if it is not the span. Refusals are the
    caller's affair. A version is an ETag with its quotes, or a date of Last-Modified."""
    if version is not None and status in (200, 206) and version_of(headers) != version:
        raise Conflict("get", key, "it was overwritten while it was read", status=status)
    if span is not None and status == 200:
        raise Unsupported("get", key, "this server gives no parts of an object", status=status)


async def exactly(chunks: AsyncIterator[bytes], key: str, span: Span | None) -> AsyncGenerator[bytes, None]:
    """The chunks of an answer. Raises Unavailable if they are not as many bytes as the span."""
    got = 0
    async for chunk in chunks:
        got += len(chunk)
        yield chunk
    if span is not None and got != span.size:
        raise Unavailable("get", key, f"{span.size} bytes were asked for, and {got} came")


def plain_md5(row: RemoteObject) -> str | None:
    """The MD5 of the object's bytes, if its ETag is that."""
    return md5_of(row.hash) if row.large is None else None
