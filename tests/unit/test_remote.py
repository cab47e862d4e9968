"""Small objects of a source whose ETag is that of parts."""

import hashlib

import pytest

from bulkput.errors import IntegrityError
from bulkput.events import Event
from bulkput.model import ObjectHeaders, RemoteObject, SourceFile
from bulkput.options import BodyOptions
from bulkput.payload.reading import Fetched
from bulkput.payload.remote import RemoteOpener, WholeObject
from bulkput.policy.etag import composite_etag
from bulkput.policy.layout import Layout


def etag_of(*parts: bytes) -> str:
    return composite_etag([hashlib.md5(part).hexdigest() for part in parts])


async def opened(etag: str, data: bytes, layout: Layout | None) -> tuple[object, int]:
    """The body, and how often the layout was asked for."""
    row, asked = RemoteObject("k", len(data), etag, None, "2026-01-02T03:04:05"), [0]

    async def fetch(key: str, most: int) -> Fetched:
        return Fetched(row, ObjectHeaders(), f'"{etag}"', data)

    async def layout_of(_row: RemoteObject) -> Layout | None:
        asked[0] += 1
        return layout

    def emit(_event: Event) -> None: ...

    opener = RemoteOpener(
        fetch,
        None,  # type: ignore[arg-type]  # nothing is streamed
        BodyOptions(),
        emit,
        fits=lambda _row, headers: headers,
        layout_of=layout_of,
        large_above=1 << 30,
    )
    return await opener.open(SourceFile(b"k", b"k", len(data), 0, remote=row)), asked[0]


async def test_a_small_object_of_one_part_is_compared_with_its_etag() -> None:
    """Without a request for its parts."""
    body, asked = await opened(etag_of(b"abcd"), b"abcd", None)
    assert isinstance(body, WholeObject) and asked == 0
    with pytest.raises(IntegrityError, match="what its ETag is made of"):
        await opened(etag_of(b"abcd"), b"abce", None)


async def test_a_small_object_of_known_parts_is_compared_with_its_etag() -> None:
    """Without the sizes of the parts, nothing can be compared."""
    etag = etag_of(b"abc", b"d")
    layout = Layout(sizes=(3, 1), etag=etag)
    body, asked = await opened(etag, b"abcd", layout)
    assert isinstance(body, WholeObject) and asked == 1
    with pytest.raises(IntegrityError, match="what its ETag is made of"):
        await opened(etag, b"abce", layout)
    assert isinstance((await opened(etag, b"abce", None))[0], WholeObject)
