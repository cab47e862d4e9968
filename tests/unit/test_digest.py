"""MD5 of a body while it goes over the wire."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from bulkput.payload.digest import CountingBody, DigestingBody


@dataclass
class Pieces:
    """A body of given pieces."""

    pieces: list[bytes]
    data: bytes | None = None
    md5: str | None = None
    size: int | None = None
    length_hint: int = 0

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


@pytest.mark.parametrize("pieces", [[], [b""], [b"abc"], [b"a", b"", b"bc"], [b"x" * 300_000, b"y" * 300_000, b"z"]])
async def test_a_digesting_body_hashes_and_counts_its_chunks(pieces: list[bytes]) -> None:
    """The chunks pass unchanged."""
    body = DigestingBody(Pieces(pieces))
    assert [chunk async for chunk in body.chunks()] == pieces
    whole = b"".join(pieces)
    assert (await body.sent_md5(), body.sent_bytes) == (md5(whole), len(whole))


async def test_a_replay_starts_the_digest_again() -> None:
    """This includes a replay after a broken attempt."""
    body = DigestingBody(Pieces([b"abc", b"def"]))
    broken = body.chunks()
    assert await anext(broken) == b"abc"
    await broken.aclose()  # type: ignore[attr-defined]
    assert (await body.sent_md5(), body.sent_bytes) == (md5(b"abc"), 3)
    for _ in range(2):
        assert [chunk async for chunk in body.chunks()] == [b"abc", b"def"]
        assert (await body.sent_md5(), body.sent_bytes) == (md5(b"abcdef"), 6)


async def test_a_digest_known_before_sending_is_used() -> None:
    """A small body is not hashed again; its digest and size are known from the start."""
    body = DigestingBody(Pieces([b"abc"], data=b"abc", md5=md5(b"abc"), size=3))
    assert (body.md5, body.data, body.size) == (md5(b"abc"), b"abc", 3)
    assert (await body.sent_md5(), body.sent_bytes) == (md5(b"abc"), 3)


async def test_the_digest_covers_the_last_chunk_if_iteration_stops_early() -> None:
    """A transport that knows the size does not ask for a chunk after the last."""
    last = b"x" * 5_000_000
    body = DigestingBody(Pieces([b"abc", last], size=3 + len(last)))
    chunks = body.chunks()
    await anext(chunks)
    await anext(chunks)
    assert await body.sent_md5() == md5(b"abc" + last)


async def test_unknown_md5_data_and_size_of_the_inner_body_stay_unknown() -> None:
    """Before the end, the body has no MD5 and no size."""
    body = DigestingBody(Pieces([b"abc"]))
    assert (body.md5, body.data, body.size) == (None, None, None)


async def test_a_cancelled_body_still_gives_its_md5() -> None:
    """The digest of the hashed chunks is available after the sender was cancelled."""
    body = DigestingBody(Pieces([b"x" * 50_000_000, b"y"]))
    chunks = body.chunks()
    await anext(chunks)
    asking = asyncio.ensure_future(anext(chunks))
    await asyncio.sleep(0)
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    assert await body.sent_md5() == md5(b"x" * 50_000_000)


async def test_a_counting_body_counts_the_bytes_of_its_last_pass() -> None:
    """A body that knows its size passes it on."""
    body = CountingBody(Pieces([b"abc", b"", b"de"]))
    for _ in range(2):
        assert b"".join([chunk async for chunk in body.chunks()]) == b"abcde"
        assert (body.sent_bytes, body.size) == (5, None)
