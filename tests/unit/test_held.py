"""Streams cut into parts that are held in memory."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.payload.held import HeldBytes, HeldPart, held_parts


async def pieces(*data: bytes) -> AsyncGenerator[bytes, None]:
    for each in data:
        yield each


async def bytes_of(part: HeldPart) -> bytes:
    return b"".join([chunk async for chunk in part.chunks()])


@given(data=st.lists(st.binary(min_size=1, max_size=20), max_size=12), sizes=st.lists(st.integers(1, 30), min_size=1))
def test_the_parts_are_the_stream(data: list[bytes], sizes: list[int]) -> None:
    """However it is cut and however it comes: in order, of the sizes asked for, each with its MD5."""

    async def run() -> None:
        room, found = HeldBytes(1), []
        async for part in held_parts(pieces(*data), lambda number: sizes[(number - 1) % len(sizes)], room):
            held = await bytes_of(part)
            assert await bytes_of(part) == held  # a retry sends it again
            assert (part.size, part.md5) == (len(held), hashlib.md5(held).hexdigest())
            found.append((held, part.is_last))
            part.release()
        assert b"".join(held for held, _ in found) == b"".join(data)
        assert [is_last for _, is_last in found] == [False] * (len(found) - 1) + [True]
        for number, (held, _) in enumerate(found[:-1]):
            assert len(held) == sizes[number % len(sizes)]
        await room.take(1)  # all of it was given back

    asyncio.run(run())


async def test_no_part_is_filled_while_there_is_no_room() -> None:
    """The next one is begun when an earlier one is released."""
    parts = held_parts(pieces(b"aa", b"bb", b"cc"), lambda _: 2, HeldBytes(4))
    first, second = await anext(parts), await anext(parts)
    third = asyncio.ensure_future(anext(parts))
    await asyncio.sleep(0)
    assert not third.done()
    first.release()
    assert await bytes_of(await third) == b"cc"
    second.release()
    await parts.aclose()


async def test_one_part_larger_than_the_room_is_held_alone() -> None:
    """It would never fit otherwise."""
    room = HeldBytes(4)
    await room.take(10)
    waiting = asyncio.ensure_future(room.take(1))
    await asyncio.sleep(0)
    assert not waiting.done()
    room.give(10)
    await waiting


async def test_a_cancelled_taker_takes_nothing() -> None:
    """Those behind it get the room."""
    room = HeldBytes(4)
    await room.take(4)
    gone, next_one = asyncio.ensure_future(room.take(4)), asyncio.ensure_future(room.take(4))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    room.give(4)
    await next_one
    room.give(4)
    await room.take(4)


async def test_takers_that_are_cancelled_together_with_the_holder_only_end() -> None:
    """As at the deadline of an interrupted run: the holder gives its room back before the takers run again."""
    room = HeldBytes(4)
    await room.take(4)
    gone = [asyncio.ensure_future(room.take(4)) for _ in range(3)]
    await asyncio.sleep(0)
    for each in gone:
        each.cancel()
    room.give(4)
    ended = await asyncio.gather(*gone, return_exceptions=True)
    assert [type(each) for each in ended] == [asyncio.CancelledError] * 3
    await room.take(4)


async def test_a_taker_behind_a_cancelled_larger_one_gets_its_room() -> None:
    """Nothing else would wake it."""
    room = HeldBytes(4)
    await room.take(2)
    larger, smaller = asyncio.ensure_future(room.take(4)), asyncio.ensure_future(room.take(2))
    await asyncio.sleep(0)
    larger.cancel()
    await smaller


async def test_a_taker_that_is_cancelled_when_it_has_its_room_gives_it_back() -> None:
    """Between the release of a part and its own turn."""
    room = HeldBytes(4)
    await room.take(4)
    gone = asyncio.ensure_future(room.take(4))
    await asyncio.sleep(0)
    room.give(4)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    await room.take(4)


async def test_a_stream_that_breaks_gives_its_room_back() -> None:
    """The part that was being filled is dropped."""

    async def broken() -> AsyncGenerator[bytes, None]:
        yield b"aa"
        yield b"b"
        raise OSError("broken")

    room = HeldBytes(4)
    parts = held_parts(broken(), lambda _: 2, room)
    (await anext(parts)).release()
    with pytest.raises(OSError, match="broken"):
        await anext(parts)
    await room.take(4)
