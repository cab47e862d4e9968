"""Small objects of a source whose ETag is that of parts."""

import hashlib

import pytest

from bulkput.errors import IntegrityError
from bulkput.events import Event, Warned
from bulkput.model import ObjectHeaders, RemoteObject, SourceFile
from bulkput.options import BodyOptions
from bulkput.payload.reading import Fetched
from bulkput.payload.remote import RemoteOpener
from bulkput.policy.etag import composite_etag
from bulkput.policy.layout import Layout


def etag_of(*parts: bytes) -> str:
    return composite_etag([hashlib.md5(part).hexdigest() for part in parts])


async def opened(etag: str, *readings: bytes, layout: Layout | None = None) -> tuple[bytes | None, int, list[str]]:
    """What is sent of an object that is read so, again and again the last one; how often the layout was asked for, and
    the warnings."""
    row, asked = RemoteObject("k", len(readings[0]), etag, None, "2026-01-02T03:04:05"), 0
    left, told = list(readings), list[str]()

    async def fetch(key: str, most: int) -> Fetched:
        data = left.pop(0) if len(left) > 1 else left[0]
        return Fetched(row, ObjectHeaders(), f'"{etag}"', data)

    async def layout_of(_row: RemoteObject) -> Layout | None:
        nonlocal asked
        asked += 1
        return layout

    def emit(event: Event) -> None:
        assert isinstance(event, Warned)
        told.append(event.why)

    opener = RemoteOpener(
        fetch,
        None,  # type: ignore[arg-type]  # nothing is streamed
        BodyOptions(),
        emit,
        fits=lambda _row, headers: headers,
        layout_of=layout_of,
        large_above=1 << 30,
    )
    body = await opener.open(SourceFile(b"k", b"k", row.bytes or 0, 0, remote=row))
    return body.data, asked, told


async def test_a_small_object_of_one_part_is_compared_with_its_etag() -> None:
    """Without a request for its parts. What has arrived damaged is read again."""
    assert await opened(etag_of(b"abcd"), b"abcd") == (b"abcd", 0, [])
    assert await opened(etag_of(b"abcd"), b"abce", b"abcd") == (b"abcd", 0, [])
    with pytest.raises(IntegrityError, match="what its ETag is made of"):
        await opened(etag_of(b"abcd"), b"abce", b"abcf", b"abcg", b"abch")


async def test_a_small_object_with_an_etag_of_one_part_that_is_twice_the_same_is_what_the_store_has() -> None:
    """Its ETag is random. Damage is not the same twice."""
    data, asked, (told,) = await opened(etag_of(b"random"), b"abcd")
    assert (data, asked) == (b"abcd", 0) and "such an object is read twice" in told
    data, asked, told_too = await opened(etag_of(b"random"), b"abce", b"abcd", b"abcd")
    assert (data, asked, told_too) == (b"abcd", 0, [told])


async def test_a_small_object_of_known_parts_is_compared_with_its_etag() -> None:
    """Without the sizes of the parts, nothing can be compared. With them, nothing else is believed."""
    etag = etag_of(b"abc", b"d")
    layout = Layout(sizes=(3, 1), etag=etag)
    assert await opened(etag, b"abcd", layout=layout) == (b"abcd", 1, [])
    assert await opened(etag, b"abce", b"abcd", layout=layout) == (b"abcd", 1, [])
    with pytest.raises(IntegrityError, match="what its ETag is made of"):
        await opened(etag, b"abce", layout=layout)
    assert (await opened(etag, b"abce"))[0] == b"abce"
