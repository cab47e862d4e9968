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
async def test_it_hashes_and_counts_what_passes_through(pieces: list[bytes]) -> None:
    """The pieces come out as they went in."""
    body = DigestingBody(Pieces(pieces))
    assert [chunk async for chunk in body.chunks()] == pieces
    whole = b"".join(pieces)
    assert (await body.sent_md5(), body.sent_bytes) == (md5(whole), len(whole))


async def test_a_replay_starts_again() -> None:
    """Also after an attempt that broke off in the middle."""
    body = DigestingBody(Pieces([b"abc", b"def"]))
    broken = body.chunks()
    assert await anext(broken) == b"abc"
    await broken.aclose()  # type: ignore[attr-defined]
    assert (await body.sent_md5(), body.sent_bytes) == (md5(b"abc"), 3)
    for _ in range(2):
        assert [chunk async for chunk in body.chunks()] == [b"abc", b"def"]
        assert (await body.sent_md5(), body.sent_bytes) == (md5(b"abcdef"), 6)


async def test_a_digest_known_beforehand_is_the_one_that_counts() -> None:
    """A small body is sent without passing through: its digest and size stand from the start."""
    body = DigestingBody(Pieces([b"abc"], data=b"abc", md5=md5(b"abc"), size=3))
    assert (body.md5, body.data, body.size) == (md5(b"abc"), b"abc", 3)
    assert (await body.sent_md5(), body.sent_bytes) == (md5(b"abc"), 3)


async def test_an_answer_before_the_end_of_the_iteration_finds_the_whole_digest() -> None:
    """A transport that knows the size need not ask for a piece after the last; the last one is hashed all the same."""
    last = b"x" * 5_000_000
    body = DigestingBody(Pieces([b"abc", last], size=3 + len(last)))
    chunks = body.chunks()
    await anext(chunks)
    await anext(chunks)
    assert await body.sent_md5() == md5(b"abc" + last)


async def test_what_the_inner_body_does_not_know_stays_unknown() -> None:
    """Before the end there is no MD5 and no size to promise."""
    body = DigestingBody(Pieces([b"abc"]))
    assert (body.md5, body.data, body.size) == (None, None, None)


async def test_a_body_that_is_broken_off_while_it_hashes_still_tells_its_md5() -> None:
    """Whoever sends it may be cancelled; who asks afterwards is not."""
    body = DigestingBody(Pieces([b"x" * 50_000_000, b"y"]))
    chunks = body.chunks()
    await anext(chunks)
    asking = asyncio.ensure_future(anext(chunks))
    await asyncio.sleep(0)
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    assert await body.sent_md5() == md5(b"x" * 50_000_000)


async def test_a_counting_body_counts_what_is_sent() -> None:
    """Of the last passage; a body that knows its size says it."""
    body = CountingBody(Pieces([b"abc", b"", b"de"]))
    for _ in range(2):
        assert b"".join([chunk async for chunk in body.chunks()]) == b"abcde"
        assert (body.sent_bytes, body.size) == (5, None)
